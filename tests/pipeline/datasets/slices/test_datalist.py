"""Data sets of labelled slices, right and wrong, in every layout."""

import json

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from pipeline.datasets.slices import class_weights, find_slice_cases, load_slice_datalist, with_slices
from transforms.errors import DataListError, NotFoundError

CLASSES = {"NonCOVID": 0, "COVID": 1}


def picture(path, value=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (20, 20), value).save(path)
    return path


@pytest.fixture
def covid_ct(tmp_path):
    """The layout of COVID-CT with two pictures to train on, one to validate and one to test, of each class."""
    for name in CLASSES:
        lists = {"train": ["a.png", "b%1.jpg"], "val": ["c.png"], "test": ["d.png"]}
        for split, files in lists.items():
            for file in files:
                picture(tmp_path / f"CT_{name}" / file)
            listing = tmp_path / "Data-split" / name / f"{split}CT_{name}.txt"
            listing.parent.mkdir(parents=True, exist_ok=True)
            listing.write_text("".join(f"{file} \n" for file in files) + "\n")
    return tmp_path


def table(folder, *rows, header="path,label,patient,split"):
    (folder / "dataset.csv").write_text("\n".join([header, *rows]))
    return folder


def test_covid_ct(covid_ct):
    sizes = {split: len(load_slice_datalist(covid_ct, split, CLASSES)) for split in ("training", "validation", "test")}
    assert sizes == {"training": 4, "validation": 2, "test": 2}
    items = load_slice_datalist(covid_ct, "training", CLASSES)
    assert [item["label"] for item in items] == [0, 0, 1, 1]
    assert len({item["case"] for item in items}) == 4
    assert items[1]["image"] == str(covid_ct / "CT_NonCOVID" / "b%1.jpg")
    assert items[0]["group"] == items[0]["image"]


def test_real_covid_ct(real_data):
    root = real_data / "covid-ct"
    labels = [item["label"] for item in load_slice_datalist(root, "training", CLASSES)]
    assert (len(labels), sum(labels)) == (425, 191)
    labels = [item["label"] for item in load_slice_datalist(root, "validation", CLASSES)]
    assert (len(labels), sum(labels)) == (118, 60)


def test_a_list_that_names_a_missing_picture_is_refused(covid_ct):
    (covid_ct / "CT_COVID" / "c.png").unlink()
    with pytest.raises(DataListError, match=r"COVID/valCT_COVID.txt line 1: .*c.png"):
        load_slice_datalist(covid_ct, "training", CLASSES)


def test_a_picture_in_two_splits_is_refused(covid_ct):
    with (covid_ct / "Data-split/COVID/testCT_COVID.txt").open("a") as file:
        file.write("a.png\n")
    with pytest.raises(DataListError, match=r"a.png in test and in training|a.png in training and in test"):
        load_slice_datalist(covid_ct, "training", CLASSES)


def test_a_class_without_lists_is_refused(covid_ct):
    with pytest.raises(DataListError, match="lists of a class"):
        load_slice_datalist(covid_ct, "training", {**CLASSES, "CAP": 2})


def test_a_table(tmp_path):
    for name in "abcd":
        picture(tmp_path / f"{name}.png")
    table(tmp_path, "a.png,COVID,p1,train", "b.png,1,p1,train", "c.png,NonCOVID,p2,val", "d.png,0,,test")
    (item,) = load_slice_datalist(tmp_path / "dataset.csv", "validation", CLASSES)
    assert item == {"case": "c", "image": str(tmp_path / "c.png"), "label": 0, "group": "p2"}
    assert [item["label"] for item in load_slice_datalist(tmp_path, "training", CLASSES)] == [1, 1]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["a.png,Covid,p1,train"], "row 2: Covid"),
        (["a.png,COVID,p1,training", "b.png,COVID,p1,test"], r"row 2 \(training\) and row 3 \(test\)"),
        (["a.png,COVID,p1,dev"], "no such split"),
        (["a.png,,p1,train"], "no label"),
        (["a.png,COVID,p1,train", "a.png,COVID,p1,train"], "a.png twice"),
    ],
)
def test_wrong_tables_are_refused(tmp_path, rows, message):
    for name in "ab":
        picture(tmp_path / f"{name}.png")
    with pytest.raises(DataListError, match=message) as caught:
        load_slice_datalist(table(tmp_path, *rows), "training", CLASSES)
    assert "p1" not in str(caught.value).replace(str(tmp_path), "")


def test_no_data_set_and_no_such_split(tmp_path, covid_ct):
    with pytest.raises(DataListError, match="no data set of slices"):
        load_slice_datalist(tmp_path / "CT_COVID", "training", CLASSES)
    with pytest.raises(DataListError, match="no such split"):
        load_slice_datalist(covid_ct, "train", CLASSES)
    (covid_ct / "Data-split/COVID/testCT_COVID.txt").write_text("")
    (covid_ct / "Data-split/NonCOVID/testCT_NonCOVID.txt").write_text("")
    with pytest.raises(DataListError, match="4 training, 2 validation"):
        load_slice_datalist(covid_ct, "test", CLASSES)


def test_without_validation_whole_patients_of_each_class_are_set_apart(tmp_path):
    rows = []
    for number in range(20):
        picture(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,{number % 2},p{number // 4}{number % 2},")
    table(tmp_path, *rows)
    training, validation = (load_slice_datalist(tmp_path, split, CLASSES) for split in ("training", "validation"))
    assert len(training) + len(validation) == 20
    assert {item["label"] for item in validation} == {0, 1}
    assert not {item["group"] for item in training} & {item["group"] for item in validation}
    assert validation == load_slice_datalist(tmp_path, "validation", CLASSES)


@pytest.fixture
def covidx(tmp_path):
    """Radiographs in the layout of COVIDx: two sources, each with a patient 1."""
    lists = {
        "train": [
            "1 a.png normal rsna",
            "2 b (1).png pneumonia rsna",
            "3 c.png COVID-19 cohen",
            "3 d.png COVID-19 cohen",
        ],
        "test": ["1 e.png COVID-19 cohen"],
    }
    for split, lines in lists.items():
        (tmp_path / f"{split}_COVIDx2.txt").write_text("\n".join(lines) + "\n\n")
        for file in [line.split(" ", 1)[1].rsplit(" ", 2)[0] for line in lines]:
            picture(tmp_path / split / file)
    return tmp_path


CXR = {"normal": 0, "pneumonia": 1, "COVID-19": 2}


def test_covidx(covidx):
    items = load_slice_datalist(covidx, "training", CXR, validation_fraction=0)
    assert [(item["label"], item["group"]) for item in items] == [
        (0, "rsna 1"), (1, "rsna 2"), (2, "cohen 3"), (2, "cohen 3"),
    ]  # fmt: skip
    assert items[1]["image"] == str(covidx / "train" / "b (1).png")
    assert [item["group"] for item in load_slice_datalist(covidx, "test", CXR)] == ["cohen 1"]


def test_covidx_with_folders_in_data_and_without_sources(covidx):
    (covidx / "data").mkdir()
    for split in ("train", "test"):
        (covidx / split).rename(covidx / "data" / split)
    (covidx / "test_COVIDx2.txt").write_text("9 e.png COVID-19\n")
    (item,) = load_slice_datalist(covidx, "test", CXR)
    assert (item["image"], item["group"]) == (str(covidx / "data" / "test" / "e.png"), "9")


def test_covidx_with_all_pictures_in_one_folder(covidx):
    (covidx / "images").mkdir()
    for path in [*(covidx / "train").iterdir(), *(covidx / "test").iterdir()]:
        path.rename(covidx / "images" / path.name)
    items = load_slice_datalist(covidx, "training", CXR, validation_fraction=0)
    assert {item["image"] for item in items} == {
        str(covidx / "images" / f"{name}.png") for name in ("a", "b (1)", "c", "d")
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("3 e.png COVID-19 cohen", r"test_COVIDx2.txt line 1 \(test\) and train_COVIDx2.txt line 3 \(training\)"),
        ("4 e.png covid cohen", "test_COVIDx2.txt line 1: covid"),
        ("4 missing.png COVID-19 cohen", "test_COVIDx2.txt line 1: .*missing.png"),
        ("e.png", "a line is malformed"),
    ],
)
def test_wrong_lines_of_covidx_are_refused(covidx, line, message):
    (covidx / "test_COVIDx2.txt").write_text(line)
    with pytest.raises(DataListError, match=message):
        load_slice_datalist(covidx, "training", CXR)


def test_lists_of_two_versions_of_covidx_are_refused(covidx):
    (covidx / "train_COVIDx3.txt").write_text("1 a.png normal rsna\n")
    with pytest.raises(DataListError, match="a split has several lists"):
        load_slice_datalist(covidx, "training", CXR)


def test_a_json_list_with_slices_of_a_volume(tmp_path):
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4), dtype=np.int16), np.eye(4)), tmp_path / "v.nii.gz")
    entries = [{"image": "v.nii.gz", "label": "COVID", "slice": index} for index in (0, 2)]
    (tmp_path / "dataset.json").write_text(json.dumps({"training": entries}))
    items = load_slice_datalist(tmp_path, "training", CLASSES, validation_fraction=0)
    assert [(item["case"], item["slice"]) for item in items] == [("v", 0), ("v", 2)]
    assert with_slices(items) == items


def test_class_weights_balance():
    items = [{"label": 0}] * 30 + [{"label": 1}] * 10
    weights = class_weights(items, CLASSES)
    assert float(weights[0] * 30) == pytest.approx(float(weights[1] * 10))
    assert float(weights[0] * 30 + weights[1] * 10) == pytest.approx(40)
    assert class_weights(items, CLASSES, power=0).tolist() == [1, 1]


def test_pictures_and_volumes_are_found_but_masks_and_results_are_not(tmp_path):
    picture(tmp_path / "x" / "a.png")
    picture(tmp_path / "x" / "a_mask.png")
    picture(tmp_path / "masks" / "a.png")
    picture(tmp_path / "done" / "preview.png")
    (tmp_path / "done" / "provenance.json").write_text("{}")
    (tmp_path / "v.nii.gz").write_bytes(b"not looked into")
    cases = find_slice_cases(tmp_path)
    assert sorted(case.name for case in cases) == ["a", "v"]
    assert [case.path.name for case in find_slice_cases(tmp_path / "x")] == ["a.png"]
    named = find_slice_cases(str(tmp_path / "*" / "a*.png"))  # what is named is taken
    assert sorted(case.path.name for case in named) == ["a.png", "a.png", "a_mask.png"]
    with pytest.raises(NotFoundError):
        find_slice_cases(tmp_path / "missing")
