"""A coarse phantom with lesions as a file."""

import nibabel as nib
import pytest

from pipeline.phantom import PhantomSpec, make_phantom


@pytest.fixture(scope="session")
def phantom():
    return make_phantom(PhantomSpec(seed=2, spacing_mm=(4.0, 4.0, 6.0), lesions=("ground_glass", "consolidation")))


@pytest.fixture(scope="session")
def phantom_ct(phantom, tmp_path_factory):
    path = tmp_path_factory.mktemp("phantom") / "chest.nii.gz"
    nib.save(nib.Nifti1Image(phantom.hu, phantom.affine), path)
    return path
