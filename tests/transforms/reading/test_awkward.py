"""Every file and folder of the awkward development data: read as the table says, or refused as it says.

`awkward.csv` has a line for each path, and another for what `allow` makes of it. `simpleitk` says how what is read
compares with SimpleITK, to 1e-3 mm:

- `same`: all voxels and all places.
- `padding`: SimpleITK keeps the value that marks what lies outside the field of view; here that is air.
- `one slice`: SimpleITK takes 1 mm or SpacingBetweenSlices for the third spacing of a slice alone, here it is
  SliceThickness: the slice is as thick as that, wherever the next one is.
- `resampled`: SimpleITK stacks tilted and gapped slices as if they were straight and even; test_real_series.py
  compares each with its own slice.
"""

import csv
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from transforms.errors import CTError
from transforms.reading import read_ct

with Path(__file__).with_name("awkward.csv").open(newline="") as file:
    TABLE = list(csv.DictReader(file))
GROUPS = ["dcm-qa-ct-ge", "dicom2nifti-failing", "pydicom", pytest.param("totalseg-example", marks=pytest.mark.slow)]
TOLERANCE_MM = 1e-3


@pytest.fixture
def awkward(real_data):
    return real_data / "awkward"


def test_nothing_is_left_out(awkward):
    there = {path.relative_to(awkward).as_posix() for path in awkward.rglob("*")}
    assert {line["path"] for line in TABLE} == there


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_as_the_table_says(awkward, group):
    lines = [line for line in TABLE if Path(line["path"]).parts[0] == group]
    wrong = {f"{line['path']} {line['allow']}": found for line in lines if (found := unexpected(line, awkward))}
    assert wrong == {}


def unexpected(line, root):
    """What is otherwise than a line of the table says; nothing where all is as expected."""
    path = root / line["path"]
    try:
        volume = read_ct(path, allow=line["allow"].split())
    except CTError as error:
        message = str(error).replace(f"{root}/", "")
        expected = line["outcome"] == type(error).__name__ and line["said"] in message and error.remedy
        return None if expected else f"{type(error).__name__}: {message}"
    array = volume.array
    found = {
        "outcome": "read",
        "shape": " x ".join(map(str, array.shape)),
        "spacing_mm": " x ".join(f"{edge:.6g}" for edge in np.linalg.norm(volume.affine[:3, :3], axis=0)),
        "first": f"{array[0, 0, 0]:g}",
        "last": f"{array[-1, -1, -1]:g}",
        "mean": f"{array.mean(dtype=float):.3f}",
    }
    if any(line[name] != value for name, value in found.items()) or line["said"] not in " ".join(volume.repairs):
        return found, volume.repairs
    return None if line["simpleitk"] == "resampled" else difference(volume, path, line["simpleitk"].split(", "))


def difference(volume, path, excused):
    """How SimpleITK's reading differs, but for what is excused."""
    image = sitk.ReadImage(list(volume.source_files) if path.is_dir() else str(path))
    theirs = sitk.GetArrayViewFromImage(image).T
    if theirs.shape != volume.array.shape:
        return f"SimpleITK has {theirs.shape}"
    other = theirs != volume.array
    as_padding = (theirs < -1024) & (volume.array == -1024)
    if (other & ~as_padding).any() or other.any() != ("padding" in excused):
        return f"SimpleITK has other values at {np.count_nonzero(other)} voxels"
    last = [size - 1 for size in theirs.shape]
    for index in ([0, 0, 0], last, [last[0], 0, 0], [0, last[1], 0], [0, 0, last[2]]):
        place = np.array(image.TransformIndexToPhysicalPoint(index)) * [-1, -1, 1]
        if np.abs((volume.affine @ [*index, 1])[:3] - place).max() > TOLERANCE_MM:
            return f"SimpleITK has {index} at {place}"
    apart = np.abs(np.array(image.GetSpacing()) - np.linalg.norm(volume.affine[:3, :3], axis=0))
    if apart[:2].max() > TOLERANCE_MM or (apart[2] > TOLERANCE_MM) != ("one slice" in excused):
        return f"SimpleITK has a spacing of {image.GetSpacing()}"
    return None
