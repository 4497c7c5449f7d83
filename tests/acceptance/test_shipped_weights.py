"""The shipped weights on chests that they were never trained on: lesions found, and silence where there are none."""

import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from pipeline.phantom import PhantomSpec, write_phantom

pytestmark = pytest.mark.slow

DATA = Path(os.environ.get("CTVOL_DATA", "not set"))
SPACING_MM = (2.0, 2.0, 2.5)
NEAR_MM = 10.0
"""Fluid and collapsed lung lie beside what is taken for lung."""


def labels_of(run_ctvol, study, out, *options):
    done = run_ctvol("segment", study, "-o", out, "--mode", "exact", "--write", "nifti,lungs", *options)
    assert done.returncode == 0, done.stderr
    (case,) = [path.parent for path in out.glob("*/labels.nii.gz")]
    image = nib.load(case / "labels.nii.gz")
    voxel_ml = float(abs(np.linalg.det(image.affine[:3, :3]))) / 1000
    return np.asarray(image.dataobj), np.asarray(nib.load(case / "lungs.nii.gz").dataobj), voxel_ml


def beyond(lungs, affine_spacing_mm):
    return ndimage.distance_transform_edt(lungs == 0, sampling=affine_spacing_mm) > NEAR_MM


@pytest.fixture(scope="module")
def diseased(tmp_path_factory):
    return write_phantom(
        tmp_path_factory.mktemp("diseased"), PhantomSpec(seed=4100, spacing_mm=SPACING_MM), format="nifti"
    )


@pytest.mark.parametrize("variant", ["3d", "2.5d"])
def test_lesions_of_a_phantom_are_found_in_the_whole_volume_and_nothing_far_from_the_lungs(
    diseased, run_ctvol, tmp_path, variant
):
    labels, _, voxel_ml = labels_of(run_ctvol, diseased.ct, tmp_path, "--variant", variant)
    truth = np.asarray(nib.load(diseased.truth).dataobj)
    dice = [2 * ((labels == v) & (truth == v)).sum() / ((labels == v).sum() + (truth == v).sum()) for v in (1, 2, 3)]
    assert min(dice) > 0.5, dice
    lungs = (np.asarray(nib.load(diseased.lungs_truth).dataobj) > 0) | (truth > 0)
    assert ((labels > 0) & beyond(lungs, SPACING_MM)).sum() * voxel_ml < 10


@pytest.mark.parametrize(("variant", "most_ml"), [("3d", 80), ("2.5d", 25)])
def test_a_real_chest_is_nearly_silent_far_from_its_lungs(run_ctvol, tmp_path, variant, most_ml):
    study = DATA / "chest-lidc-0314"
    if not study.is_dir():
        pytest.skip("CTVOL_DATA does not hold the development data")
    labels, lungs, voxel_ml = labels_of(run_ctvol, study, tmp_path, "--variant", variant)
    # Its right upper lobe has collapsed: what is not taken for lung there reaches farther.
    far = beyond(lungs, (0.78125, 0.78125, 1.0))
    assert ((labels > 0) & far).sum() * voxel_ml < most_ml
