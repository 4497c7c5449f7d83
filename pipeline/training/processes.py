"""Several processes that train or evaluate together, as `torchrun` starts them."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TypeVar

import torch
from ignite import distributed
from monai.data import partition_dataset
from torch import distributed as processes

from transforms.errors import DataListError, SettingError

Item = TypeVar("Item")

LETTING_GO_S = 0.5
"""How long the threads behind the processes' connections are given at the end; on a busy machine they come late."""


def join(backend: str, device: torch.device) -> None:
    """Joins the processes of a run.

    Args:
        backend: `nccl` on GPUs, `gloo` on CPUs.
        device: Of this process.

    Raises:
        SettingError: When the process was not started by `torchrun`.
    """
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if not processes.is_initialized():
        hook = sys.excepthook
        try:
            processes.init_process_group(backend=backend)
            # torch wraps the hook in one of its own, which loses what it says where it ends the process.
            sys.excepthook = hook
        except ValueError as error:
            raise SettingError(
                "this configuration is for several processes",
                found=str(error),
                remedy="Start it with: torchrun --standalone --nproc_per_node=N -m monai.bundle run …",
            ) from error


def leave() -> None:
    """Leaves the processes of a run."""
    if processes.is_initialized():
        processes.barrier()
        # gloo's threads take the interpreter's lock to let go of the last tensors: where the interpreter ends first,
        # they abort the process.
        time.sleep(LETTING_GO_S)
        processes.destroy_process_group()


def own_share(cases: Sequence[Item]) -> list[Item]:
    """The cases of a list that this process takes.

    Raises:
        DataListError: When there are fewer cases than processes.
    """
    world_size = distributed.get_world_size()
    if len(cases) < world_size:
        raise DataListError(
            "there are fewer cases than processes",
            found=f"{len(cases)} cases for {world_size} processes",
            remedy="Start fewer processes",
        )
    shares = partition_dataset(cases, num_partitions=world_size, shuffle=False, even_divisible=False)
    return list(shares[distributed.get_rank()])
