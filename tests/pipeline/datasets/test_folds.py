"""Folds: every case is set aside once, no patient on two sides, whatever the list's order."""

import json
import random

import pytest

from pipeline.datasets import load_fold
from transforms.errors import DataListError, SettingError


@pytest.fixture
def data(tmp_path):
    """A function that writes a data set of these cases: name to patient."""

    def write(cases, test=(), shuffled=False):
        entries = []
        for name, patient in cases.items():
            for file in (f"{name}.nii", f"{name}_label.nii"):
                (tmp_path / file).touch()
            entry = {"image": f"{name}.nii", "label": f"{name}_label.nii"}
            entries.append(entry | ({"patient": patient} if patient else {}))
        if shuffled:
            random.Random(1).shuffle(entries)
        aside = [{"image": f"{name}.nii"} for name in test]
        for name in test:
            (tmp_path / f"{name}.nii").touch()
        content = {"training": entries[:-2], "validation": entries[-2:], "test": aside}
        (tmp_path / "dataset.json").write_text(json.dumps(content))
        return tmp_path

    return write


def names(folder, split, fold, folds=3, **options):
    return [item["case"] for item in load_fold(folder, split, fold=fold, folds=folds, **options)]


CASES = {f"c{number}": f"p{number // 2}" for number in range(12)}


def test_every_case_is_set_aside_once_and_patients_stay_whole(data):
    folder = data(CASES, test=("t",))
    aside = [names(folder, "validation", fold) for fold in range(3)]
    assert sorted(case for part in aside for case in part) == sorted(CASES)
    for fold, part in enumerate(aside):
        training = names(folder, "training", fold)
        assert sorted([*training, *part]) == sorted(CASES)
        assert not {CASES[case] for case in training} & {CASES[case] for case in part}
        assert len(part) == 4


def test_the_order_of_the_list_has_no_say_and_the_seed_has(data):
    first = [names(data(CASES), "validation", fold) for fold in range(3)]
    assert [names(data(CASES, shuffled=True), "validation", fold) for fold in range(3)] == first
    assert [names(data(CASES), "validation", fold, seed=1) for fold in range(3)] != first


def test_patients_may_stand_in_the_names(data):
    folder = data({f"P{number // 4}_scan{number}": None for number in range(12)})
    for fold in range(3):
        aside = names(folder, "validation", fold, patient_pattern="^(P[0-9]+)_")
        assert len({name[:2] for name in aside}) == 1
        assert len(aside) == 4


def test_what_cannot_be_dealt_is_said(data):
    folder = data(CASES)
    with pytest.raises(SettingError, match="no such fold"):
        names(folder, "training", 3)
    with pytest.raises(SettingError, match="no such split"):
        names(folder, "test", 0)
    with pytest.raises(DataListError, match="6 patients for 7 folds"):
        names(folder, "training", 0, folds=7)
