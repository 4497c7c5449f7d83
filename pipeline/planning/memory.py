"""What a training step may take, and what it would take."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

BYTES_PER_PARAMETER = 20
"""Weights, gradients, two moments of Adam and the averaged weights, in single precision."""

ACTIVATIONS_HELD = 2.2
"""Peak memory of a step over what its layers give out once, in float32: measured 2.0 to 2.2 (1.3 to 1.5 in bfloat16)
for the default network with patches of 64³ and 96³, beside a fixed part of some 0.1 GB."""

SHARE = 0.5
"""Of the free memory: the cache of cases, the data loader and others need the rest."""

CPU_PATCH_VOXELS = 96**3
"""On a processor time runs out before memory: a step with two such patches takes seconds on two cores."""

GPU_PATCH_VOXELS = 160 * 160 * 128

CPU_BATCH, GPU_BATCH = 2, 8

_CGROUP = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a training step may take on a device.

    Attributes:
        device: Its name.
        bytes: Of memory.
        patch_voxels: The largest patch.
        batch: The largest batch.
    """

    device: str
    bytes: float
    patch_voxels: int
    batch: int


def budget_of(device: torch.device) -> Budget:
    """The budget of a device, from the memory that is free on it now."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        name = torch.cuda.get_device_name(device)
        return Budget(device=name, bytes=SHARE * free, patch_voxels=GPU_PATCH_VOXELS, batch=GPU_BATCH)
    cores = len(os.sched_getaffinity(0))
    return Budget(
        device=f"{cores} processor cores", bytes=SHARE * _free_memory(), patch_voxels=CPU_PATCH_VOXELS, batch=CPU_BATCH
    )


def training_bytes(network: nn.Module, in_channels: int, patch_size: Sequence[int], batch: int) -> float:
    """The memory that a training step takes, estimated without any: the network is run without storage.

    Args:
        network: On the `meta` device.
        in_channels: Channels of its input.
        patch_size: Voxels along each axis; a size that the network takes.
        batch: Patches a step.
    """
    outputs = 0

    def count(module: nn.Module, inputs: Any, output: Any) -> None:
        nonlocal outputs
        outputs += output.numel()

    leaves = [module for module in network.modules() if not any(module.children())]
    handles = [leaf.register_forward_hook(count) for leaf in leaves]
    try:
        with torch.no_grad():
            network(torch.zeros((1, in_channels, *patch_size), device="meta"))
    finally:
        for handle in handles:
            handle.remove()
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return parameters * BYTES_PER_PARAMETER + ACTIVATIONS_HELD * 4.0 * outputs * batch


def _free_memory() -> float:
    """Of the machine or of the container, whichever is less."""
    lines = Path("/proc/meminfo").read_text().splitlines() if Path("/proc/meminfo").exists() else []
    free = next((1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable")), 8e9)
    limit = _CGROUP.read_text().strip() if _CGROUP.is_file() else "max"
    return min(free, float(limit)) if limit.isdigit() else free
