"""Data sets of painted CTs: what is written, what is listed, and that training would take it."""

import json

import nibabel as nib
import numpy as np
import pytest

from pipeline.datasets import load_datalist
from pipeline.datasets.painted import PaintedSet, averaged, write_painted_dataset
from pipeline.phantom import PhantomSpec, write_phantom, write_phantom_dataset
from transforms.errors import DataListError, LabelError, NotFoundError, SettingError
from transforms.grids import Grid

SPACING_MM = (4.0, 4.0, 4.0)


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    """A chest without lesions, coarse, as NIfTI."""
    out = tmp_path_factory.mktemp("healthy") / "chest"
    return write_phantom(out, PhantomSpec(seed=4, spacing_mm=SPACING_MM, lesions=()), format="nifti").ct


@pytest.fixture(scope="module")
def painted(healthy, tmp_path_factory):
    out = tmp_path_factory.mktemp("painted")
    # Left of the middle, and the lower half: the two overlap.
    parts = {"ct": [[[None, 5], [None, None], [None, None]], [[None, None], [None, None], [None, 0]]]}
    settings = PaintedSet(versions=3, healthy=0.0, thickness_mm=(0.0, 12.0), parts=parts)
    write_painted_dataset(out, [healthy], settings)
    return out


def voxels(path):
    image = nib.load(path)
    return np.asarray(image.dataobj), image.affine


def test_every_part_of_every_version_is_a_case(painted):
    training, validation = (load_datalist(painted, split, labelled=True) for split in ("training", "validation"))
    assert [item["case"] for item in training] == ["ct_00_0", "ct_00_1", "ct_01_0", "ct_01_1"]
    assert [item["case"] for item in validation] == ["ct_02_0", "ct_02_1"]
    assert all({0, 1, 2, 3} >= set(np.unique(voxels(item["label"])[0])) for item in training)
    assert all(voxels(item["label"])[0].any() for item in training)


def test_a_part_is_the_box_that_was_named_and_only_lesions_differ_from_the_ct(painted, healthy):
    before, affine = voxels(healthy)
    for number in (0, 1):
        hu, place = voxels(painted / "imagesTr" / f"ct_00_{number}.nii.gz")
        labels, _ = voxels(painted / "labelsTr" / f"ct_00_{number}.nii.gz")
        start = np.rint(np.linalg.solve(affine, place)[:3, 3]).astype(int)
        same = before[tuple(slice(a, a + n) for a, n in zip(start, hu.shape, strict=True))]
        assert np.array_equal(hu[labels == 0], same[labels == 0])
        corner = place @ [*(np.array(hu.shape) - 1), 1]
        highest = np.maximum(corner[:3], place[:3, 3])
        assert highest[0 if number == 0 else 2] <= (5 if number == 0 else 0)
        assert highest[0 if number == 0 else 2] > -5


def test_versions_take_turns_with_the_thickness(painted):
    thicknesses = [
        round(float(np.linalg.norm(voxels(painted / "imagesTr" / f"ct_0{number}_0.nii.gz")[1][:3, 2])))
        for number in range(3)
    ]
    assert thicknesses == [4, 12, 4]


def test_a_ct_without_named_parts_is_used_whole_and_it_is_said(healthy, tmp_path, caplog):
    parts = {"another": [[[None, 5], [None, None], [None, None]]]}
    write_painted_dataset(tmp_path, [healthy], PaintedSet(versions=1, validation=0, parts=parts))
    assert voxels(tmp_path / "imagesTr" / "ct_00_0.nii.gz")[0].shape == voxels(healthy)[0].shape
    assert "ct: no parts are named for it" in caplog.text


def test_averaged_slices_lie_at_the_middle_one():
    hu = np.arange(7, dtype=np.int16)[None, None].repeat(2, 0).repeat(2, 1) * 10
    lungs = (hu == 10).astype(np.uint8)
    thick, mask, grid = averaged(hu, lungs, Grid(shape=(2, 2, 7), affine=np.diag([1, 1, 2.0, 1])), 6.0)
    assert thick[0, 0].tolist() == [10, 40]
    assert mask[0, 0].tolist() == [1, 0]
    assert grid.affine[2].tolist() == [0, 0, 6, 2]
    same, _, _ = averaged(hu, lungs, Grid(shape=(2, 2, 7), affine=np.diag([1, 1, 2.0, 1])), 1.0)
    assert np.array_equal(same, hu)


def test_a_seed_repeats_a_data_set(healthy, tmp_path):
    settings = PaintedSet(versions=1, validation=0, healthy=0.0)
    first, again = (write_painted_dataset(tmp_path / name, [healthy], settings).parent for name in "ab")
    for kind in ("imagesTr", "labelsTr"):
        assert np.array_equal(*(voxels(folder / kind / "ct_00_0.nii.gz")[0] for folder in (first, again)))


def test_other_data_sets_are_listed_too(healthy, tmp_path):
    write_phantom_dataset(tmp_path / "phantoms", seeds={"training": [1], "test": [2]}, shape=(8, 8, 8), workers=1)
    settings = PaintedSet(versions=2, healthy=1.0)
    write_painted_dataset(tmp_path / "all", [healthy], settings, add=[tmp_path / "phantoms"])
    training, test = (load_datalist(tmp_path / "all", split) for split in ("training", "test"))
    assert len(training) == 2
    assert len(test) == 1
    listed = json.loads((tmp_path / "all" / "dataset.json").read_text())
    assert listed["training"][0]["image"].startswith("../phantoms/imagesTr/")


def test_what_cannot_be_painted_is_an_error(healthy, tmp_path):
    with pytest.raises(NotFoundError):
        write_painted_dataset(tmp_path, [tmp_path / "nothing"], PaintedSet())
    with pytest.raises(SettingError, match="too few versions"):
        PaintedSet(versions=1)
    outside = PaintedSet(versions=1, validation=0, parts={"ct": [[[900, 999], [None, None], [None, None]]]})
    with pytest.raises(SettingError, match="outside of its CT"):
        write_painted_dataset(tmp_path, [healthy], outside)
    no_box = PaintedSet(versions=1, validation=0, parts={"ct": [[[0, 1]]]})
    with pytest.raises(SettingError, match="no box"):
        write_painted_dataset(tmp_path, [healthy], no_box)
    with pytest.raises(DataListError, match="has no list"):
        write_painted_dataset(tmp_path, [healthy], PaintedSet(), add=[tmp_path / "nothing"])
    no_lungs = tmp_path / "block.nii.gz"
    nib.save(nib.Nifti1Image(np.full((12, 12, 12), 40, dtype=np.int16), np.diag([5, 5, 5, 1.0])), no_lungs)
    with pytest.raises(LabelError, match="no lung"):
        write_painted_dataset(tmp_path, [no_lungs], PaintedSet())
    assert not (tmp_path / "dataset.json").exists()
