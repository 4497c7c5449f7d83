"""The two ways of inference."""

from __future__ import annotations

from typing import Literal, get_args

from transforms.errors import SettingError

Mode = Literal["fast", "exact"]
"""`fast`: the region of interest, in the device's reduced precision; `exact`: the whole volume, in float32."""


def is_exact(mode: Mode) -> bool:
    """Whether a mode is `exact`.

    Raises:
        SettingError: When there is no such mode.
    """
    if mode not in get_args(Mode):
        raise SettingError("there is no such mode", where="mode", found=mode, expected=" or ".join(get_args(Mode)))
    return mode == "exact"
