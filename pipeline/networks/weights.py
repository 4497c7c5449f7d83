"""Weights of a network from a file."""

from __future__ import annotations

import hashlib
import pickle
import zipfile
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from transforms.errors import NotFoundError, SettingError, UnreadableError

Network = TypeVar("Network", bound=nn.Module)


def load_weights(network: Network, path: str | Path, *, sha256: str | None = None) -> Network:
    """Puts the weights of a state dict file into a network and sets it to evaluation.

    Args:
        network: Takes the weights, in place.
        path: A state dict, saved by `torch.save`; loaded with `weights_only=True`.
        sha256: What the file's hash must be; not checked when `None`.

    Returns:
        The same network.

    Raises:
        NotFoundError: When there is no such file.
        UnreadableError: When it is no state dict, or its hash is not the expected one.
        SettingError: When the weights belong to another network.
    """
    if sha256 is not None and file_hash(path) != sha256:
        raise UnreadableError(
            "the weights are not the ones that the bundle was published with",
            where=path,
            found=f"SHA-256 {file_hash(path)}",
            expected=sha256,
            remedy="Fetch the bundle again, or pass your own file with --weights",
        )
    state = read_state_dict(path)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        detail = str(error).splitlines()
        raise SettingError(
            "the weights do not fit the network",
            where=path,
            found=" ".join(line.strip() for line in detail[1:3]) or detail[0],
            remedy="Use the configuration that they were trained with, overlays included",
        ) from error
    return network.eval()


def prepare(
    network: Network,
    device: torch.device,
    *,
    memory_format: torch.memory_format = torch.contiguous_format,
    weights: str | Path | None = None,
    sha256: str | None = None,
) -> Network:
    """Brings a network to a device, with weights where a file is given, for training.

    Args:
        network: Changed in place.
        device: Where it shall run.
        memory_format: Of its convolutions: `torch.channels_last` (2D) and `torch.channels_last_3d` are faster on
            processors and tensor cores.
        weights: A state dict file to start from.
        sha256: What its hash must be; not checked when `None`.

    Returns:
        The same network.

    Raises:
        NotFoundError: See :func:`load_weights`.
    """
    if weights is not None:
        load_weights(network, weights, sha256=sha256)
    # The stubs of Module.to know no memory format together with a device.
    network.to(device)
    network.to(memory_format=memory_format)  # type: ignore[call-overload]
    return network.train()


def output_channels(path: str | Path) -> int:
    """How many channels a network with these weights puts out: the length of the last bias in the file."""
    biases = [value for name, value in read_state_dict(path).items() if name.endswith("bias") and value.ndim == 1]
    if not biases:
        raise UnreadableError("the weights hold no bias to tell the number of classes from", where=path)
    return int(biases[-1].numel())


def file_hash(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    if not Path(path).is_file():
        raise NotFoundError("there is no such weights file", where=path)
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_saved(path: str | Path) -> Any:
    """What `torch.save` wrote, loaded with `weights_only=True`.

    Raises:
        UnreadableError: When the file is truncated or corrupt, or holds more than tensors and plain values.
    """
    try:
        if not zipfile.is_zipfile(path):
            raise UnreadableError("the file was not written by torch.save, or is cut short", where=path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise UnreadableError("the file is corrupt, or holds more than weights", where=path) from error


def read_state_dict(path: str | Path) -> dict[str, torch.Tensor]:
    """The tensors of a file by name, loaded with `weights_only=True`.

    Raises:
        NotFoundError: When there is no such file.
        UnreadableError: When it is no state dict.
    """
    if not Path(path).is_file():
        raise NotFoundError(
            "there is no such weights file",
            where=path,
            remedy="Train one with the bundle's train.yaml, or name it with --weights",
        )
    state = read_saved(path)
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise UnreadableError("the file is no state dict (a mapping of names to tensors)", where=path)
    return state
