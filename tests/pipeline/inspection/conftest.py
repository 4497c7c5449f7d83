"""Small DICOM series and volumes with known headers, written as phantoms are."""

import numpy as np
import pydicom
import pytest

from pipeline.phantom import Phantom, PhantomSpec, write_phantom

AXIAL = np.diag([-1.0, -1.0, 1.0, 1.0])  # RAS+: columns to the left, rows to the back


@pytest.fixture
def chest(tmp_path):
    """A function that writes a series of 10 rows x 12 columns, half air and half soft tissue, and gives its folder.

    `change` is called with each slice's data set and its index; a slice for which it returns `False` is left out.
    """

    def make(name="ct", *, slices=8, step_mm=2.5, seed=0, affine=AXIAL, change=None):
        hu = np.random.default_rng(seed).normal(0, 15, (12, 10, slices))
        hu[:6] -= 1000
        hu[6:] += 40
        empty = np.zeros(hu.shape, np.uint8)
        phantom = Phantom(
            spec=PhantomSpec(seed=seed, shape=hu.shape, spacing_mm=(0.8, 0.7, step_mm)),
            hu=hu.astype(np.int16),
            labels=empty,
            lungs=empty,
            affine=affine @ np.diag([0.8, 0.7, step_mm, 1.0]),
        )
        folder = write_phantom(tmp_path / f".{name}", phantom).ct.rename(tmp_path / name)
        for index, path in enumerate(sorted(folder.iterdir())):
            dataset = pydicom.dcmread(path)
            keep = change is None or change(dataset, index) is not False
            dataset.save_as(path)
            if not keep:
                path.unlink()
        return folder

    return make


@pytest.fixture
def add_foreign():
    """A function that puts a structure set, a dose report, a localizer and notes beside the slices of a folder."""

    def put(folder):
        slices = sorted(folder.glob("*.dcm"))
        changes = (
            {"Modality": "RTSTRUCT", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.481.3"},
            {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.67"},
            {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]},
        )
        for number, change in enumerate(changes):
            dataset = pydicom.dcmread(slices[0])
            for keyword, value in change.items():
                setattr(dataset, keyword, value)
            dataset.save_as(folder / f"foreign{number}.dcm")
        (folder / "notes.txt").write_text("notes")

    return put
