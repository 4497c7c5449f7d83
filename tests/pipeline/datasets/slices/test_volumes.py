"""Volumes with one label become items of their slices that show lung."""

import nibabel as nib
import numpy as np
import pytest

from pipeline.datasets.slices import with_slices
from pipeline.phantom import PhantomSpec, make_phantom
from transforms.errors import IntensityError


def test_a_labelled_volume_becomes_its_lung_slices(tmp_path):
    phantom = make_phantom(PhantomSpec(seed=2, spacing_mm=(4.0, 4.0, 6.0)))
    nib.save(nib.Nifti1Image(phantom.hu, phantom.affine), tmp_path / "v.nii.gz")
    item = {"case": "v", "image": str(tmp_path / "v.nii.gz"), "label": 1, "group": "p"}
    items = with_slices([item])
    indices = [one["slice"] for one in items]
    shown = (phantom.lungs > 0).sum(axis=(0, 1)) * 0.16 > 40
    assert set(shown.nonzero()[0]) <= set(indices)
    assert all({**one, "slice": 0} == {**item, "slice": 0} for one in items)
    assert [one["slice"] for one in with_slices([item], every=5)] == indices[2::5]


def test_a_labelled_volume_without_lung_is_refused(tmp_path):
    hu = np.full((60, 60, 20), -1000, dtype=np.int16)
    hu[15:45, 15:45] = 40
    nib.save(nib.Nifti1Image(hu, np.diag([4.0, 4.0, 5.0, 1.0])), tmp_path / "leg.nii.gz")
    with pytest.raises(IntensityError, match=r"leg.nii.gz: no lungs are found"):
        with_slices([{"case": "leg", "image": str(tmp_path / "leg.nii.gz"), "label": 1, "group": "p"}])
