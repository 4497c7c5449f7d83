"""An inspection as lines of text for people, at most 100 columns wide where its words allow."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator

from pipeline.inspection.results import CaseInspection, FileInspection, StudyInspection, VerdictKind, VolumeInspection
from pipeline.inspection.series_text import series_rows
from pipeline.inspection.wording import Row, dimensions, times

WIDTH = 100
"""Columns; only a word that is longer, such as a path, reaches over."""

_LABEL = 13
_SAID: dict[VerdictKind, str] = {
    "read": "will be read",
    "read-after": "will be read with --allow",
    "refused": "refused",
}


def as_text(study: StudyInspection) -> str:
    """All cases, one after the other, and a last line that counts them where there are several."""
    blocks = ["\n".join(_case(case)) for case in study.cases]
    blocks += ["\n".join(_wrapped(f"{where}: {what}", "  ")) for where, what in study.left_out]
    if len(study.cases) > 1:
        kinds = Counter(case.verdict.kind for case in study.cases)
        counted = ", ".join(f"{kinds[kind]} {said}" for kind, said in _SAID.items() if kinds[kind])
        blocks.append(f"{len(study.cases)} cases: {counted}")
    return "\n\n".join(blocks)


def _case(case: CaseInspection) -> Iterator[str]:
    yield from _wrapped(f"{case.case}: {case.verdict.sentence}", "  ")
    yield from _rows(_facts(case), "  ")
    for one in case.series:
        yield from _rows([("series", one.name or "without UID")], "  ")
        yield from _rows(series_rows(one), "    ")
    yield from _rows(_outcome(case), "  ")


def _facts(case: CaseInspection) -> Iterator[Row]:
    yield "path", case.path
    yield "format", case.format
    if case.volume:
        yield "volume", _volume(case.volume)
    if case.file:
        yield from _file(case.file)


def _volume(volume: VolumeInspection) -> str:
    oblique = f", {volume.oblique_degrees:g} degrees oblique" if volume.oblique_degrees else ""
    return f"{times(volume.shape)} voxels of {dimensions(volume.spacing_mm)}, {volume.plane}{oblique}"


def _file(file: FileInspection) -> Iterator[Row]:
    yield "header", f"{times(file.shape)} of {times(file.spacing_mm)}, {file.stored_type}, units {file.units}"
    yield "orientation", file.orientation or "not given"
    if file.qform_code is not None:
        yield "codes", f"qform {file.qform_code}, sform {file.sform_code}"
    if file.slope not in (None, 0.0, 1.0) or file.intercept not in (None, 0.0):
        yield "scaling", f"slope {file.slope}, intercept {file.intercept}"


def _outcome(case: CaseInspection) -> Iterator[Row]:
    if case.passed_over:
        yield "passed over", ", ".join(f"{count} {what}" for what, count in case.passed_over)
    if case.values:
        yield "values", case.values.sentence
    for repair in case.repairs:
        yield "note", repair
    if case.verdict.kind == "read-after":
        yield "reader says", case.verdict.error
    yield "if allowed", case.verdict.still


def _rows(rows: Iterable[Row], indent: str) -> Iterator[str]:
    for label, said in rows:
        if said:
            yield from _wrapped(f"{indent}{label:<{_LABEL}}{said}", " " * (len(indent) + _LABEL))


def _wrapped(line: str, indent: str) -> list[str]:
    return textwrap.wrap(
        line, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False, drop_whitespace=True
    )
