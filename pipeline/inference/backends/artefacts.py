"""Where compiled networks are kept, and what they are known by."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import torch
from torch import nn

CACHE_VARIABLE = "CTVOL_CACHE"
"""Environment variable with the folder for compiled networks; by default the user's cache folder."""


def artefact_folder(backend: str) -> Path:
    """The folder of a backend's compiled networks; made where it is missing.

    Args:
        backend: Name of the backend.
    """
    base = os.environ.get(CACHE_VARIABLE) or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "ctvol" / backend
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def weights_hash(network: nn.Module) -> str:
    """16 hexadecimal digits that stand for a network's layers and weights."""
    digest = hashlib.blake2b(repr(network).encode(), digest_size=8)
    for name, value in network.state_dict().items():
        digest.update(name.encode())
        # A clone: `contiguous` keeps the strides of axes of length 1, which cannot be viewed as bytes.
        plain = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        digest.update(plain.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
