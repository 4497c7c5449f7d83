"""The device that a name stands for."""

from __future__ import annotations

import re

import torch

from transforms.errors import SettingError


def select_device(name: str | torch.device = "auto") -> torch.device:
    """The device of a name.

    Args:
        name: `auto` (the first GPU where there is one, else the CPU), `cpu`, `cuda` or `cuda:N`; or a device.

    Raises:
        SettingError: When there is no such device.
    """
    name = str(name)
    if name == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    match = re.fullmatch(r"cuda(?::(\d+))?", name)
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if match is None or int(match[1] or 0) >= found:
        raise SettingError(
            "there is no such device",
            where="device",
            found=f"{name}, with {found} CUDA devices here",
            expected="auto, cpu, cuda or cuda:N",
        )
    return torch.device("cuda", int(match[1] or 0))
