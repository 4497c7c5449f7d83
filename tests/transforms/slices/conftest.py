"""A chest slice drawn by hand, and a coarse phantom."""

import nibabel as nib
import numpy as np
import pytest

from pipeline.phantom import PhantomSpec, make_phantom

AIR, LUNG, TISSUE = 0, 60, 200


def draw_chest(rows=120, columns=160, margin=20):
    """Gray values of a body with two lungs, the left image half's smaller; and the body's box."""
    y, x = np.mgrid[:rows, :columns]
    cy, cx = rows / 2, columns / 2
    gray = np.full((rows, columns), AIR, dtype=np.uint8)
    gray[((y - cy) / (cy - margin)) ** 2 + ((x - cx) / (cx - margin)) ** 2 <= 1] = TISSUE
    for side, width in ((-1, 0.2), (1, 0.25)):
        lung = ((y - cy) / (0.55 * (cy - margin))) ** 2 + ((x - cx - side * 0.45 * (cx - margin)) / (width * cx)) ** 2
        gray[lung <= 1] = LUNG
    return gray


@pytest.fixture
def chest():
    return draw_chest()


@pytest.fixture(scope="session")
def chest_ct(tmp_path_factory):
    """A coarse phantom as NIfTI: its path, and the phantom."""
    phantom = make_phantom(PhantomSpec(seed=2, spacing_mm=(4.0, 4.0, 6.0)))
    path = tmp_path_factory.mktemp("ct") / "chest.nii.gz"
    nib.save(nib.Nifti1Image(phantom.hu, phantom.affine), path)
    return path, phantom
