"""Studies to cases where arrays and pictures of slices count as volumes too."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from pipeline.datasets.case_names import case_names
from pipeline.datasets.stacks.layouts import StackEntry, read_stack_entries
from pipeline.datasets.studies import Case, find_cases
from transforms.stacks.read import pictures_of

Study = str | PathLike[str]


def find_stack_cases(
    study: Study | Sequence[Study], *, pattern: str | None = None, series_uid: str | None = None
) -> list[Case]:
    """The cases of one or several studies.

    Args:
        study: A `.npy` file of slices; a picture; a folder of pictures, which is one stack; a folder of several of
            these, in a layout of data sets, masks left out; or what :func:`pipeline.datasets.find_cases` takes.
        pattern: As there.
        series_uid: As there.

    Raises:
        CTError: As there.
    """
    studies = [study] if isinstance(study, str | PathLike) else list(study)
    if pattern is not None:
        return find_cases(studies, pattern=pattern, series_uid=series_uid)
    paths: list[Path] = []
    rest: list[Study] = []
    for one in studies:
        found = _stacks(Path(one))
        paths += found
        if not found:
            rest.append(one)
    volumes = find_cases(rest, series_uid=series_uid) if rest else []
    # The folder of a case's pictures is called `images` in all of them: the case is its parent.
    named = [path.parent if path.name == "images" else path.with_suffix("") for path in paths]
    names = case_names(named, taken=[case.name for case in volumes])
    return [Case(name=name, path=path) for name, path in zip(names, paths, strict=True)] + volumes


def _stacks(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.suffix.lower() == ".npy" or pictures_of(path) else []
    if not path.is_dir():
        return []
    if pictures_of(path):
        return [path]
    entries: list[StackEntry] = read_stack_entries(path)
    if entries:
        return [entry.image for entry in entries]
    return sorted(file for file in path.glob("*.npy") if "mask" not in file.stem)
