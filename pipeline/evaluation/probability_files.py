"""Files of a network's probabilities."""

from __future__ import annotations

import zlib
from os import PathLike

import nibabel as nib
import numpy as np
import torch

from transforms.errors import UnreadableError
from transforms.grids import Grid
from transforms.reading.affines import check_affine


def read_probabilities(path: str | PathLike[str]) -> tuple[torch.Tensor, Grid]:
    """Reads a NIfTI of probabilities, a channel a class.

    Args:
        path: `(X, Y, Z, C)`, or `(X, Y, Z)` of one class alone.

    Returns:
        `(C, X, Y, Z)` in the file's precision, and the grid.

    Raises:
        UnreadableError: When it is no such file, or its values are no probabilities.
        GeometryError: When its affine cannot be trusted.
    """
    try:
        image = nib.Nifti1Image.from_filename(str(path))
        values = np.asanyarray(image.dataobj)
    except (OSError, EOFError, ValueError, zlib.error, nib.filebasedimages.ImageFileError) as error:
        raise UnreadableError("the probabilities cannot be read", where=path, found=str(error)) from error
    affine = np.asarray(image.affine, dtype=np.float64)
    check_affine(affine, path)
    if values.ndim not in (3, 4) or values.dtype.kind != "f":
        raise UnreadableError(
            "the file holds no probabilities", where=path, found=f"{values.dtype} {values.shape}",
            expected="floating point (X, Y, Z, C)",
        )  # fmt: skip
    # Rounding to half precision may leave the range by a little.
    if not (values.min() >= -1e-3 and values.max() <= 1 + 1e-3):
        raise UnreadableError("the values are no probabilities", where=path, expected="0 to 1")
    channels = np.moveaxis(values, -1, 0) if values.ndim == 4 else values[None]
    x, y, z = values.shape[:3]
    return torch.from_numpy(channels), Grid(shape=(x, y, z), affine=affine)
