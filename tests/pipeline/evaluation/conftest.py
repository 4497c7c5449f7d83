"""Label maps as files."""

import nibabel as nib
import numpy as np
import pytest


@pytest.fixture
def save():
    """A function that writes an array as NIfTI, its folders made."""

    def write(path, array, affine=None):
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(array, np.diag([2.0, 2.0, 2.0, 1.0]) if affine is None else affine), path)
        return path

    return write


def blocks(*places, value=1, shape=(20, 20, 20)):
    """A label map with cubes of 4 voxels at these corners."""
    labels = np.zeros(shape, np.uint8)
    for x, y, z in places:
        labels[x : x + 4, y : y + 4, z : z + 4] = value
    return labels
