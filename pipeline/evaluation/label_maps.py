"""Which label maps a place holds, and of which cases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.datasets.case_names import case_names, safe_name
from pipeline.datasets.datalist import load_splits
from transforms.errors import DataListError, NotFoundError
from transforms.file_kinds import is_hidden, stem, volume_format

OWN_NAMES = frozenset({"labels", "label", "truth", "mask"})
"""Stems that say nothing about the case: its folder's name does, and nothing else in that folder is a label map."""

NO_LABEL_MAPS = frozenset({"lungs", "lungs_truth", "probabilities"})
"""Stems of files beside label maps that are none."""


@dataclass(frozen=True, kw_only=True)
class LabelMapFile:
    """A label map of one case.

    Attributes:
        case: The case's name.
        path: The file.
        probabilities: The file of the network's probabilities beside it, where there is one.
        patient: Whose case it is, where a data set's list says so.
    """

    case: str
    path: Path
    probabilities: Path | None = None
    patient: str | None = None


def find_label_maps(place: Path, *, pattern: str | None = None, split: str | None = None) -> dict[str, LabelMapFile]:
    """The label maps of a file, a folder of files, our output folder, or a data set with a list.

    A file's case is its stem; for files named `labels`, `label`, `truth` or `mask` the folder's name; where several
    files have one stem, the shortest tail of the path that differs. A data set's cases have the names of its list.

    Args:
        place: File or folder.
        pattern: Picks files of a folder, such as `STS_*/CT_mask.nii.gz`.
        split: Of a data set: `training`, `validation` or `test`; all of them by default.

    Returns:
        Case name to file.

    Raises:
        DataListError: When two files have one case name, or the data set's list is wrong.
        NotFoundError: When the pattern picks nothing, or the split has no case with a label.
    """
    if place.is_dir() and pattern is None and _is_data_set(place):
        return _of_data_set(place, split)
    if split is not None:
        raise DataListError("only data sets have splits", where=place, expected="dataset.json or imagesTr in it")
    files = [place] if place.is_file() else _files(place, pattern)
    if pattern is not None and not files:
        raise NotFoundError("the pattern picks no label maps", where=place, found=pattern)
    named = {file: _own_name(file) for file in files}
    named.update(_longer_names(named))
    by_case: dict[str, LabelMapFile] = {}
    for file, case in named.items():
        if case in by_case:
            raise DataListError(
                "two label maps have the same case name",
                where=place,
                found=f"{by_case[case].path} and {file}",
                remedy="Name each after its case, or put it into the case's folder as labels.nii.gz",
            )
        by_case[case] = LabelMapFile(case=case, path=file, probabilities=_probabilities(file))
    return by_case


def _is_data_set(folder: Path) -> bool:
    return (folder / "dataset.json").is_file() or (folder / "imagesTr").is_dir()


def _of_data_set(folder: Path, split: str | None) -> dict[str, LabelMapFile]:
    splits = load_splits(folder)
    if split is not None and split not in splits:
        raise NotFoundError("the data set has no such split", where=folder, found=split, expected=", ".join(splits))
    items = [item for name, of_split in splits.items() if split in (None, name) for item in of_split]
    found = {
        item["case"]: LabelMapFile(case=item["case"], path=Path(item["label"]), patient=item.get("patient"))
        for item in items
        if "label" in item
    }
    if not found:
        raise NotFoundError("the data set has no case with a label", where=folder, found=f"{len(items)} cases")
    return found


def _files(folder: Path, pattern: str | None) -> list[Path]:
    if pattern is not None:
        return sorted(path for path in folder.glob(pattern) if volume_format(path) and not is_hidden(path))
    by_folder: dict[Path, list[Path]] = defaultdict(list)
    for path in sorted(folder.rglob("*")):
        if volume_format(path) and not is_hidden(path) and stem(path) not in NO_LABEL_MAPS:
            by_folder[path.parent].append(path)
    chosen = []
    for files in by_folder.values():
        chosen += [file for file in files if stem(file) in OWN_NAMES] or files
    return chosen


def _own_name(path: Path) -> str:
    return safe_name(path.absolute().parent.name if stem(path) in OWN_NAMES else stem(path))


def _longer_names(named: Mapping[Path, str]) -> dict[Path, str]:
    """Names for files that share their stem in different folders: `STS_001/CT_mask` and `STS_002/CT_mask`."""
    counts: dict[str, list[Path]] = defaultdict(list)
    for file, case in named.items():
        if stem(file) not in OWN_NAMES:
            counts[case].append(file)
    shared = [file for files in counts.values() if len({one.parent for one in files}) > 1 for file in files]
    return dict(zip(shared, case_names(shared), strict=True))


def _probabilities(label_map: Path) -> Path | None:
    beside = label_map.parent / "probabilities.nii.gz"
    return beside if stem(label_map) in OWN_NAMES and beside.is_file() else None
