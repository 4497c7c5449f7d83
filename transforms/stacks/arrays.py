"""NumPy files of slices, and the place that is given to slices of which none is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from monai.data.meta_tensor import MetaTensor
from numpy.typing import NDArray

from transforms.errors import DataListError, UnreadableError
from transforms.reading.volume import Affine, Format, Volume

NO_PLACE = "the files say nothing of the voxel size: 1 mm is assumed, and millilitres are thousands of voxels"
"""Finding of every stack of arrays or pictures."""


def open_array(path: str | Path) -> NDArray[Any]:
    """An array of slices from a `.npy` file, memory-mapped: only slices that are used are read.

    Raises:
        UnreadableError: When there is none, it is cut short, or holds no numbers.
    """
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UnreadableError(
            "the array cannot be read", where=path, expected="a .npy file of numbers", remedy="Copy or save it again"
        ) from error
    if array.dtype.kind not in "biuf":
        raise UnreadableError("the array holds no numbers", where=path, found=array.dtype.name)
    return array


def check_part(part: tuple[int, int] | None, count: int, path: str | Path) -> slice:
    """The slices of a stack that an item stands for.

    Raises:
        DataListError: When the stack has no such slices.
    """
    first, stop = (0, count) if part is None else part
    if not 0 <= first < stop <= count:
        raise DataListError(
            "the stack has no such slices", where=path, found=f"{first} to {stop}", expected=f"within 0 to {count}",
            remedy="Correct the list",
        )  # fmt: skip
    return slice(first, stop)


def columns_and_rows() -> Affine:
    """The affine of pictures: columns run to the patient's left, rows to the back, slices upwards, 1 mm each."""
    return np.diag([-1.0, -1.0, 1.0, 1.0])


def as_placed(stack: NDArray[Any], path: str | Path, kind: Format) -> MetaTensor:
    """A stack `(N, H, W)` as a volume `(1, W, H, N)`, without a copy; a finding says that nothing places it."""
    volume = Volume(array=stack.transpose(2, 1, 0), affine=columns_and_rows(), format=kind, path=str(path))
    placed = volume.to_metatensor(None)
    placed.meta["findings"] = [NO_PLACE]
    return placed
