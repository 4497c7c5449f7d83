"""Who is whose partner, and who is told to have none."""

import json

import numpy as np
import pytest

from pipeline.datasets.patients import patient_of
from pipeline.evaluation import find_label_maps, match, read_patients
from transforms.errors import DataListError, NotFoundError, SettingError, UnreadableError

EMPTY = np.zeros((2, 2, 2), np.uint8)


@pytest.fixture
def folder(tmp_path, save):
    """A function that makes a folder of these files."""

    def make(name, *files):
        for file in files:
            save(tmp_path / name / file, EMPTY)
        return tmp_path / name

    return make


def pairs(predictions, references, **options):
    matching = match(find_label_maps(predictions), find_label_maps(references, **options))
    return {pair.case: pair.reference.path.name for pair in matching.pairs}, matching


def test_our_output_folder_and_a_flat_one(folder):
    ours = folder("ours", "a/labels.nii.gz", "a/lungs.nii.gz", "a/probabilities.nii.gz", "b/labels.nii.gz")
    theirs = folder("theirs", "a.nii.gz", "b.nrrd.nii.gz", "c.nii.gz")
    found, matching = pairs(ours, theirs)
    assert found == {"a": "a.nii.gz"}
    assert [path.parent.name for path in matching.predictions_alone] == ["b"]
    assert [path.name for path in matching.references_alone] == ["b.nrrd.nii.gz", "c.nii.gz"]
    assert find_label_maps(ours)["a"].probabilities == ours / "a" / "probabilities.nii.gz"
    assert find_label_maps(ours)["b"].probabilities is None


def test_an_image_beside_its_mask_is_no_label_map(folder):
    assert set(find_label_maps(folder("x", "p/ct.nii.gz", "p/truth.nii.gz"))) == {"p"}


def test_masks_of_one_name_take_their_folders(folder):
    ours = folder("ours", "STS_001_CT_image/labels.nii.gz", "STS_002_CT_image/labels.nii.gz")
    theirs = folder("theirs", *(f"STS_00{n}/CT_{what}.nii.gz" for n in (1, 2) for what in ("image", "mask")))
    found, _ = pairs(ours, theirs, pattern="STS_*/CT_mask.nii.gz")
    assert found == {"STS_001_CT_image": "CT_mask.nii.gz", "STS_002_CT_image": "CT_mask.nii.gz"}


def test_a_bare_name_must_be_the_only_one(folder):
    ours = folder("ours", "x_pred.nii.gz", "y_pred.nii.gz", "y_seg.nii.gz")
    theirs = folder("theirs", "x_mask.nii.gz", "y_mask.nii.gz")
    found, matching = pairs(ours, theirs)
    assert found == {"x_pred": "x_mask.nii.gz"}
    assert len(matching.predictions_alone) == 2


def test_a_data_set_names_its_cases_and_patients(folder):
    data = folder("data", "i/1.nii.gz", "l/1.nii.gz", "i/2.nii.gz", "l/2.nii.gz", "i/3.nii.gz")
    listing = {
        "training": [{"image": "i/1.nii.gz", "label": "l/1.nii.gz", "case": "one", "patient": "p"}],
        "validation": [{"image": "i/2.nii.gz", "label": "l/2.nii.gz", "case": "two"}],
        "test": [{"image": "i/3.nii.gz"}],
    }
    (data / "dataset.json").write_text(json.dumps(listing))
    found = find_label_maps(data)
    assert {case: file.patient for case, file in found.items()} == {"one": "p", "two": None}
    assert set(find_label_maps(data, split="validation")) == {"two"}
    with pytest.raises(NotFoundError, match="no such split"):
        find_label_maps(data, split="holdout")
    with pytest.raises(NotFoundError, match="no case with a label"):
        find_label_maps(data, split="test")


def test_what_cannot_be_matched_is_said(folder):
    ours, theirs = folder("ours", "a.nii.gz"), folder("theirs", "b.nii.gz")
    with pytest.raises(NotFoundError, match="found a; expected b"):
        match(find_label_maps(ours), find_label_maps(theirs))
    with pytest.raises(DataListError, match="the same case name"):
        find_label_maps(folder("twice", "a.nii.gz", "a.nii"))
    with pytest.raises(NotFoundError, match="picks no label maps"):
        find_label_maps(ours, pattern="*.mha")
    with pytest.raises(DataListError, match="only data sets have splits"):
        find_label_maps(ours, split="test")


def test_patients_from_a_list_the_name_or_the_case(tmp_path):
    assert patient_of("sub-01_ses-2_ct") == "sub-01"
    assert patient_of("P07-b", pattern="^P[0-9]+") == "P07"
    assert patient_of("P07-b", listed={"P07-b": "someone"}, pattern="^P[0-9]+") == "someone"
    assert patient_of("other", pattern="^P[0-9]+") == "other"
    with pytest.raises(SettingError, match="no regular expression"):
        patient_of("x", pattern="(")
    table = tmp_path / "patients.csv"
    table.write_text("case,patient\na,p\nb,p\n")
    assert read_patients(table) == {"a": "p", "b": "p"}
    table.write_text("name,patient\na,p\n")
    with pytest.raises(UnreadableError, match="lacks a column"):
        read_patients(table)
    table.write_text("case,patient\na,p\na,q\n")
    with pytest.raises(DataListError, match="two patients"):
        read_patients(table)
