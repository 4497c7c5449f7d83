"""Folds together: means and intervals that are known, failures that are counted, folds that overlap refused."""

import csv

import pytest
from click.testing import CliRunner

from pipeline.cli.pool import pool
from pipeline.evaluation.folds import FOLD_SCORES, fold_scores, read_folds, write_folds
from transforms.errors import DataListError, UnreadableError


def write_fold(folder, rows, columns=("case", "class", *FOLD_SCORES, "patient", "error")):
    """Rows of case, class, Dice and patient; without a class the case failed."""
    folder.mkdir(parents=True)
    with (folder / "metrics.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        for case, name, dice, patient in rows:
            scores = dict.fromkeys(FOLD_SCORES, dice) if name else {}
            row = {"case": case, "class": name, **scores, "patient": patient, "error": "" if name else "unreadable"}
            writer.writerow({key: value for key, value in row.items() if key in columns})
    return folder.parent if folder.name == "evaluation" else folder


@pytest.fixture
def folds(tmp_path):
    return [
        write_fold(
            tmp_path / "fold_0/evaluation", [("a", "x", 0.5, "P1"), ("a", "y", 1.0, "P1"), ("b", "x", 0.7, "P1")]
        ),
        write_fold(tmp_path / "fold_1/evaluation", [("c", "x", 0.9, "P2"), ("c", "y", 0.0, "P2"), ("d", "", "", "P3")]),
    ]


def found(lines, fold, of_class, score="dice"):
    (line,) = [line for line in lines if (line.fold, line.of_class, line.score) == (fold, of_class, score)]
    return line


def test_each_fold_and_all_of_them(folds):
    lines = fold_scores(read_folds(folds))
    assert found(lines, "fold_0", "x").mean.value == pytest.approx(0.6)
    pooled = found(lines, "all", "x")
    assert pooled.mean.value == pytest.approx((0.5 + 0.7 + 0.9) / 3)
    assert (pooled.cases, pooled.patients, pooled.failed) == (3, 2, 1)
    # Patients are drawn, not cases: P1 alone, P2 alone, or both.
    assert (pooled.mean.low, pooled.mean.high) == (pytest.approx(0.6), pytest.approx(0.9))
    assert found(lines, "all", "mean").mean.value == pytest.approx((0.7 + 0.5) / 2)
    assert found(lines, "fold_1", "x").failed == 1


def test_the_table_and_the_command(folds, tmp_path):
    done = CliRunner().invoke(pool, [*map(str, folds), "-o", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "all                  x                      3      1  0.700 [0.600, 0.900]" in done.output
    with (tmp_path / "out" / "folds.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["fold"] for row in rows} == {"fold_0", "fold_1", "all"}
    assert {row["score"] for row in rows} == set(FOLD_SCORES)


def test_a_fold_in_which_all_failed_is_there(folds, tmp_path):
    failed = write_fold(tmp_path / "fold_2/evaluation", [("e", "", "", "P5")])
    lines = fold_scores(read_folds([*folds, failed]))
    assert (found(lines, "fold_2", "mean").cases, found(lines, "fold_2", "mean").failed) == (0, 1)
    assert ",0,0,1,,," in write_folds(tmp_path / "out", lines).read_text()


def test_what_is_no_cross_validation_is_refused(folds, tmp_path):
    with pytest.raises(DataListError, match="a case was measured in two folds"):
        read_folds([*folds, folds[0].parent / "fold_0" / "evaluation"])
    same_patient = write_fold(tmp_path / "other", [("z", "x", 0.5, "P2")])
    with pytest.raises(DataListError, match="a patient was measured in two folds"):
        read_folds([*folds, same_patient])
    with pytest.raises(UnreadableError, match="no evaluation"):
        read_folds([tmp_path])
    with pytest.raises(UnreadableError, match="none of an evaluation's"):
        read_folds([write_fold(tmp_path / "table", [("a", "x", 0.1, "P")], columns=("case", "class"))])
