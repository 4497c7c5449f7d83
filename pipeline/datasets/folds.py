"""Cross-validation: the cases of a data set in folds, all cases of a patient in one."""

from __future__ import annotations

from os import PathLike

from pipeline.datasets.datalist import Split, load_splits
from pipeline.datasets.patients import patient_of
from transforms.errors import DataListError, SettingError


def load_fold(
    dataset_dir: str | PathLike[str],
    split: Split,
    *,
    fold: int,
    folds: int,
    patient_pattern: str | None = None,
    seed: int = 0,
) -> list[dict[str, str]]:
    """The cases that a fold trains on, or those that it sets aside to validate.

    Training and validation cases of the data set's list together are dealt out anew; its test cases are not touched.
    Every case is set aside by one fold. Cases of one patient (:func:`pipeline.datasets.patients.patient_of`) are never
    on both sides.

    Args:
        dataset_dir: The data set's folder.
        split: `training` or `validation`.
        fold: Which, from 0 to `folds` - 1.
        folds: How many.
        patient_pattern: Finds the patient in the case's name, where the list names none.
        seed: Another seed deals otherwise.

    Raises:
        DataListError: When the list is wrong, or there are fewer patients than folds.
        SettingError: When there is no such fold or split.
    """
    # It takes a second, which those who only look for cases must not spend.
    from sklearn.model_selection import GroupKFold

    if split not in ("training", "validation"):
        raise SettingError("a fold has no such split", found=split, expected="training or validation")
    if folds < 2 or not 0 <= fold < folds:
        raise SettingError(
            "there is no such fold",
            where="fold",
            found=f"{fold} of {folds}",
            expected="2 folds or more, counted from 0",
        )
    splits = load_splits(dataset_dir, validation_fraction=0)
    every = [item for name in ("training", "validation") for item in splits.get(name, [])]
    # By name: the order of the list has no say in who is dealt where.
    items = sorted((item for item in every if "label" in item), key=lambda item: item["case"])
    patients = [item.get("patient") or patient_of(item["case"], pattern=patient_pattern) for item in items]
    if len(set(patients)) < folds:
        raise DataListError(
            "there are fewer patients than folds", where=dataset_dir,
            found=f"{len(set(patients))} patients for {folds} folds", remedy="Take fewer folds",
        )  # fmt: skip
    dealt = list(GroupKFold(folds, shuffle=True, random_state=seed).split(items, groups=patients))
    return [items[int(index)] for index in dealt[fold][0 if split == "training" else 1]]
