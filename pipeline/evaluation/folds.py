"""The folds of a cross-validation together: each case was measured by weights that never saw its patient."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation.intervals import Interval, bootstrap
from pipeline.evaluation.summary import Bootstrap
from pipeline.export.files import make_folder, replacing
from transforms.errors import DataListError, UnreadableError

POOLED = "all"
"""What stands in the table where the folds are together."""

MEAN = "mean"
"""What stands in the table for the mean of the classes' means."""

FOLD_SCORES = ("dice", "hd95_mm", "nsd", "lesion_f1", "volume_error_ml")


@dataclass(frozen=True, kw_only=True)
class FoldCase:
    """A case as its fold measured it.

    Attributes:
        fold: The fold's name.
        case: The case's.
        patient: Whose it is.
        scores: Class name to score name to value; empty where the case failed.
    """

    fold: str
    case: str
    patient: str
    scores: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, kw_only=True)
class FoldScore:
    """One line of the table.

    Attributes:
        fold: The fold's name, or :data:`POOLED`.
        of_class: The class, or :data:`MEAN`.
        score: Which score.
        cases: How many were measured.
        patients: Of how many patients.
        failed: Cases without a score.
        mean: Over the cases, with its interval over patients.
    """

    fold: str
    of_class: str
    score: str
    cases: int
    patients: int
    failed: int
    mean: Interval


def read_folds(folders: Sequence[str | PathLike[str]]) -> list[FoldCase]:
    """The cases of several evaluations, each the `metrics.csv` of a fold.

    Args:
        folders: Of the evaluations, or of the folds' training with `evaluation/` in it.

    Raises:
        UnreadableError: When one holds no `metrics.csv`, or another table.
        DataListError: When a case or a patient stands in two folds: they would not be independent.
    """
    tables = [_table(Path(folder)) for folder in folders]
    names = _names([table.parent for table in tables])
    parts = [_read(name, table) for name, table in zip(names, tables, strict=True)]
    _check("case", names, [{one.case for one in part} for part in parts])
    _check("patient", names, [{one.patient for one in part} for part in parts])
    return [one for part in parts for one in part]


def _check(kind: str, names: Sequence[str], parts: Sequence[set[str]]) -> None:
    first: dict[str, str] = {}
    for name, part in zip(names, parts, strict=True):
        for one in sorted(part & set(first)):
            raise DataListError(
                f"a {kind} was measured in two folds", where=one, found=f"{first[one]} and {name}",
                expected="each in one", remedy="Give the evaluations of one cross-validation, each once",
            )  # fmt: skip
        first |= dict.fromkeys(part, name)


def fold_scores(cases: Sequence[FoldCase], draws: Bootstrap | None = None) -> list[FoldScore]:
    """Each fold's scores and those of all folds together, with 95 % intervals over patients.

    Args:
        cases: Of :func:`read_folds`.
        draws: How intervals are made.
    """
    chosen = draws or Bootstrap()
    folds = list(dict.fromkeys(case.fold for case in cases))
    parts = {fold: [case for case in cases if case.fold == fold] for fold in folds} | {POOLED: list(cases)}
    return [line for fold, part in parts.items() for line in _lines(fold, part, chosen)]


def write_folds(folder: str | PathLike[str], lines: Sequence[FoldScore]) -> Path:
    """Writes `folds.csv`, a row a fold, class and score.

    Raises:
        OutputError: When it cannot be written.
    """
    path = make_folder(folder) / "folds.csv"
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["fold", "class", "score", "cases", "patients", "failed", "mean", "low", "high"])
        for line in lines:
            numbers = (line.mean.value, line.mean.low, line.mean.high)
            ends = ["" if math.isnan(number) else round(number, 6) for number in numbers]
            writer.writerow([line.fold, line.of_class, line.score, line.cases, line.patients, line.failed, *ends])
    return path


def _table(folder: Path) -> Path:
    for path in (folder / "metrics.csv", folder / "evaluation" / "metrics.csv"):
        if path.is_file():
            return path
    raise UnreadableError(
        "there is no evaluation", where=folder, expected="metrics.csv, or evaluation/metrics.csv",
        remedy="Measure the fold first, with evaluate.yaml and cross_validation.yaml",
    )  # fmt: skip


def _names(folders: Sequence[Path]) -> list[str]:
    """The folds' folders by name, or by path where names are not enough."""
    own = [(folder.parent if folder.name == "evaluation" else folder).resolve() for folder in folders]
    names = [folder.name for folder in own]
    return names if len(set(names)) == len(names) else [str(folder) for folder in own]


def _read(fold: str, path: Path) -> list[FoldCase]:
    scores: dict[str, dict[str, dict[str, float]]] = {}
    patients: dict[str, str] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                case = row["case"]
                patients[case] = row["patient"] or case
                of_case = scores.setdefault(case, {})
                if row["class"]:
                    of_case[row["class"]] = {score: float(row[score] or "nan") for score in FOLD_SCORES}
    except (OSError, KeyError, ValueError, TypeError, csv.Error) as error:
        raise UnreadableError("the table is none of an evaluation's", where=path, found=str(error)) from error
    return [FoldCase(fold=fold, case=case, patient=patients[case], scores=found) for case, found in scores.items()]


def _lines(fold: str, cases: Sequence[FoldCase], draws: Bootstrap) -> list[FoldScore]:
    scored = [case for case in cases if case.scores]
    classes = list(dict.fromkeys(name for case in scored for name in case.scores))
    patients = [case.patient for case in scored]
    if not scored:
        nothing = Interval(value=math.nan, low=math.nan, high=math.nan)
        return [
            FoldScore(
                fold=fold, of_class=MEAN, score=FOLD_SCORES[0], cases=0, patients=0, failed=len(cases), mean=nothing
            )
        ]
    values = np.array(
        [
            [[case.scores.get(name, {}).get(score, math.nan) for score in FOLD_SCORES] for name in classes]
            for case in scored
        ]
    )

    def means(chosen: NDArray[np.intp]) -> dict[str, float]:
        of_class = _mean(values[chosen])
        found = {
            f"{name}/{score}": of_class[i, j] for i, name in enumerate(classes) for j, score in enumerate(FOLD_SCORES)
        }
        return found | {f"{MEAN}/{score}": of_class[:, j].mean() for j, score in enumerate(FOLD_SCORES)}

    intervals = bootstrap(means, patients, samples=draws.samples, seed=draws.seed)
    return [
        FoldScore(
            fold=fold,
            of_class=name,
            score=score,
            cases=len(scored),
            patients=len(set(patients)),
            failed=len(cases) - len(scored),
            mean=intervals[f"{name}/{score}"],
        )
        for name in (*classes, *([MEAN] if len(classes) > 1 else []))
        for score in FOLD_SCORES
    ]


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over the first axis, of the numbers that are there."""
    known = ~np.isnan(values)
    counts = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    mean: NDArray[np.float64] = np.divide(total, counts, out=np.full(counts.shape, math.nan), where=counts > 0)
    return mean
