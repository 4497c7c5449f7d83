"""Voxels out of a stream into one array, a piece at a time."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from transforms.reading.volume import Voxels
from transforms.reading.voxels import fits_int16

PIECE_VOXELS = 1 << 17
"""Voxels converted at a time: few enough for the processor's cache."""

PIECE_BYTES = 1 << 20
"""Bytes asked of a stream at a time."""


def decode(
    stream: BinaryIO,
    count: int,
    stored: np.dtype[Any],
    *,
    scaling: tuple[float, float] | None = None,
    smallest: bool,
) -> Voxels:
    """Reads voxels to a flat array; no second copy of the volume is made while they are all integers.

    Args:
        stream: Stands at the first voxel.
        count: How many voxels there are.
        stored: Their type in the stream.
        scaling: Slope and intercept, applied in double precision.
        smallest: Take `int16` where all values are integers that fit, else `float32`.

    Raises:
        EOFError: When the stream ends before them.
    """
    out: npt.NDArray[Any] = np.empty(count, dtype=np.int16 if smallest else np.float32)
    if scaling is None and stored == out.dtype:
        _fill(stream, out)
        return out
    buffer = np.empty(min(count, PIECE_VOXELS), dtype=stored)
    for start in range(0, count, PIECE_VOXELS):
        values: npt.NDArray[Any] = buffer[: count - start]
        _fill(stream, values)
        if scaling is not None:
            values = values * np.float64(scaling[0]) + scaling[1]
        if out.dtype == np.int16 and not fits_int16(values):
            out = _to_float(out, start)
        out[start : start + values.size] = values
    return out


def _fill(stream: BinaryIO, values: npt.NDArray[Any]) -> None:
    space = values.view(np.uint8).data
    while space:
        got = stream.readinto(space[:PIECE_BYTES])  # type: ignore[attr-defined]
        if not got:
            raise EOFError("the stream ends before its voxels do")
        space = space[got:]


def _to_float(out: npt.NDArray[Any], filled: int) -> npt.NDArray[np.float32]:
    floats = np.empty(out.size, dtype=np.float32)
    floats[:filled] = out[:filled]
    return floats
