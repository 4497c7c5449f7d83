"""Data sets to lists of items."""

import json
from pathlib import Path

import pytest

from pipeline.datasets import load_datalist
from transforms.errors import DataListError, SettingError


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def listing(root: Path, content) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "dataset.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return root


def pair(root: Path, name: str) -> dict[str, str]:
    touch(root / f"{name}_ct.nii.gz", root / f"{name}_mask.nii.gz")
    return {"image": f"{name}_ct.nii.gz", "label": f"{name}_mask.nii.gz"}


@pytest.fixture
def own(tmp_path):
    splits = {split: [pair(tmp_path, f"{split}{n}") for n in range(2)] for split in ("training", "validation", "test")}
    return listing(tmp_path, splits)


@pytest.mark.parametrize("split", ["training", "validation", "test"])
def test_each_split_of_the_list(own, split):
    items = load_datalist(own, split)
    assert items[1] == {
        "case": f"{split}1_ct",
        "image": str(own / f"{split}1_ct.nii.gz"),
        "label": str(own / f"{split}1_mask.nii.gz"),
    }
    assert len(items) == 2


def test_paths_are_absolute(own, monkeypatch):
    monkeypatch.chdir(own.parent)
    assert Path(load_datalist(own.name, "training")[0]["image"]).is_absolute()


def test_given_case_names(tmp_path):
    item = pair(tmp_path, "a") | {"case": "patient/1"}
    assert (
        load_datalist(listing(tmp_path, {"training": [item]}), "training", validation_fraction=0)[0]["case"]
        == "patient_1"
    )


def decathlon(root: Path, count=10) -> Path:
    for number in range(count):
        touch(root / "imagesTr" / f"lung_{number}.nii.gz", root / "labelsTr" / f"lung_{number}.nii.gz")
    touch(root / "imagesTs" / "lung_99.nii.gz", root / "imagesTr" / "._lung_0.nii.gz")
    return root


def test_decathlon_folders_without_a_list(tmp_path):
    root = decathlon(tmp_path)
    assert len(load_datalist(root, "training")) == 8
    assert load_datalist(root, "test") == [{"case": "lung_99", "image": str(root / "imagesTs" / "lung_99.nii.gz")}]
    item = load_datalist(root, "validation")[0]
    assert item["label"] == item["image"].replace("imagesTr", "labelsTr")


def test_decathlon_list(tmp_path):
    root = decathlon(tmp_path)
    training = [{"image": f"./imagesTr/lung_{n}.nii.gz", "label": f"./labelsTr/lung_{n}.nii.gz"} for n in range(10)]
    listing(root, {"name": "Lung", "numTraining": 10, "training": training, "test": ["./imagesTs/lung_99.nii.gz"]})
    assert load_datalist(root, "training")[0]["image"].endswith("imagesTr/lung_0.nii.gz")
    assert [item["case"] for item in load_datalist(root, "test")] == ["lung_99"]


def test_first_channel_of_nnunet(tmp_path):
    touch(tmp_path / "imagesTr" / "lung_1_0000.nii.gz", tmp_path / "labelsTr" / "lung_1.nii.gz")
    listing(tmp_path, {"channel_names": {"0": "CT"}, "numTraining": 1})
    (item,) = load_datalist(tmp_path, "training")
    assert item["label"] == str(tmp_path / "labelsTr" / "lung_1.nii.gz")


class TestSplitting:
    def names(self, root, split, **options):
        return {item["case"] for item in load_datalist(root, split, **options)}

    def test_parts_make_the_whole(self, tmp_path):
        root = decathlon(tmp_path)
        training, validation = self.names(root, "training"), self.names(root, "validation")
        assert len(validation) == 2
        assert not training & validation
        assert training | validation == {f"lung_{number}" for number in range(10)}

    def test_the_same_for_the_same_seed_wherever_it_lies(self, tmp_path):
        first, second = decathlon(tmp_path / "a"), decathlon(tmp_path / "b")
        assert self.names(first, "validation") == self.names(second, "validation")
        assert len({frozenset(self.names(first, "validation", seed=seed)) for seed in range(5)}) > 1

    def test_fractions(self, tmp_path):
        root = decathlon(tmp_path)
        assert len(self.names(root, "validation", validation_fraction=0.5)) == 5
        assert load_datalist(root, "validation", validation_fraction=0) == []
        assert len(self.names(root, "training", validation_fraction=0.99)) == 1
        with pytest.raises(SettingError, match="validation_fraction"):
            load_datalist(root, "training", validation_fraction=1.0)

    def test_one_case_cannot_be_split(self, tmp_path):
        with pytest.raises(DataListError, match="'validation' has no cases"):
            load_datalist(decathlon(tmp_path, count=1), "validation")


def expect_refusal(root, *parts, split="training"):
    with pytest.raises(DataListError) as caught:
        load_datalist(root, split)
    assert caught.value.remedy
    for part in (str(root), *parts):
        assert part in str(caught.value)


class TestFaults:
    def test_missing_files_of_any_split_are_counted(self, own):
        for number in range(2):
            (own / f"training{number}_ct.nii.gz").unlink()
            (own / f"test{number}_mask.nii.gz").unlink()
        expect_refusal(own, "4 fault(s)", "training[0] image", "test[1] label", "does not exist")

    def test_many_faults_are_cut(self, tmp_path):
        items = [{"image": f"{n}.nii", "label": f"{n}.nii"} for n in range(20)]
        expect_refusal(listing(tmp_path, {"training": items}), "40 fault(s)", "; ...")

    def test_a_case_in_two_splits(self, tmp_path):
        item = pair(tmp_path, "a")
        again = item | {"image": f"./{item['image']}"}
        expect_refusal(
            listing(tmp_path, {"training": [item], "test": [again]}), "test[0] is the case of training[0] again"
        )

    def test_a_name_in_two_splits(self, tmp_path):
        items = [pair(tmp_path, name) | {"case": "one"} for name in "ab"]
        expect_refusal(listing(tmp_path, {"training": items[:1], "test": items[1:]}), "one in training and test")

    @pytest.mark.parametrize(
        ("content", "part"),
        [
            ("{", "line 1"),
            ("[]", "found list"),
            ({"training": "x"}, "entry training is malformed"),
            ({"training": [{"img": "x"}]}, "entry training[0] is malformed"),
            ({"training": [{"image": "x", "label": 3}]}, "entry training[0] is malformed"),
            ({"training": [{"image": "x"}]}, 'a "label" too'),
            ({"training": [], "val": []}, "found val"),
            ({"cases": []}, "found dataset.json with cases"),
        ],
    )
    def test_malformed_lists(self, tmp_path, content, part):
        expect_refusal(listing(tmp_path, content), part)

    def test_no_data_set(self, tmp_path):
        expect_refusal(tmp_path, "no dataset.json", "imagesTr")

    def test_missing_label_in_folders(self, tmp_path):
        root = decathlon(tmp_path)
        (root / "labelsTr" / "lung_3.nii.gz").unlink()
        expect_refusal(root, "1 fault(s)", "labelsTr/lung_3.nii.gz does not exist")

    def test_unknown_split(self, own):
        expect_refusal(own, "found 'train'", "training, validation, test", split="train")

    def test_empty_split(self, tmp_path):
        expect_refusal(
            listing(tmp_path, {"training": [pair(tmp_path, "a")]}), "'test' has no cases", "1 training", split="test"
        )
