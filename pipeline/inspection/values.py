"""The values of a case, read as the reader reads them."""

from __future__ import annotations

from pipeline.datasets.studies import Case
from pipeline.inspection.results import ValueInspection, Verdict
from pipeline.inspection.verdicts import judge
from transforms.reading.histogram import judge_values
from transforms.reading.load import read_ct
from transforms.reading.volume import Volume


def inspect_values(
    case: Case, by_headers: Verdict, allow: frozenset[str]
) -> tuple[ValueInspection | None, tuple[str, ...], Verdict]:
    """Reads a case that is not refused for its headers.

    Returns:
        What the values are (`None` where they cannot be read), the reader's repairs, and the verdict by all.
    """
    needed = allow | frozenset(by_headers.needs)
    volume, verdict = judge(lambda allowed: _read(case, allowed), needed)
    if volume is None:
        return None, (), verdict
    seen = judge_values(volume.array)
    values = ValueInspection(low=seen.low, high=seen.high, kind=seen.kind, sentence=seen.sentence)
    return values, volume.repairs, _together(by_headers, verdict)


def _read(case: Case, allow: frozenset[str]) -> Volume:
    return read_ct(case.path, series_uid=case.series_uid, allow=sorted(allow))


def _together(by_headers: Verdict, by_values: Verdict) -> Verdict:
    first = by_headers if by_headers.needs else by_values
    needs = tuple(sorted({*by_headers.needs, *by_values.needs}))
    return Verdict(kind=first.kind, needs=needs, error_kind=first.error_kind, error=first.error)
