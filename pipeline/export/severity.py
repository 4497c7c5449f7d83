"""How severe the lungs' involvement is, after two published rules."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

#: Name of the grading: Morozov et al., "MosMedData: Chest CT Scans with COVID-19 Related Findings Dataset",
#: medRxiv 2020.05.20.20100362 (2020).
SCALE = "CT-0 to CT-4 (Morozov et al. 2020)"
#: Name of the score: Wang et al., "Temporal Changes of CT Findings in 90 Patients with COVID-19 Pneumonia: A
#: Longitudinal Study", Radiology 296 (2020), E55-E64, after Ooi et al., Radiology 230 (2004), 836-844.
RULE = "six zones of 0 to 4 points (after Wang et al. 2020)"
_FROM_PERCENT = (25.0, 50.0, 75.0)


@dataclass(frozen=True, kw_only=True)
class Severity:
    """A grade and a score, and the rules that they follow.

    Attributes:
        scale: Name of the grade's scale.
        grade: 0 to 4.
        rule: Name of the score's rule.
        score: 0 to 24; None where a zone has no lung.
    """

    scale: str
    grade: int
    rule: str = RULE
    score: int | None = None


def severity_of(
    percent_of_lung_involved: float | None, percent_of_zones: Iterable[float | None] = ()
) -> Severity | None:
    """Grade the share of the lungs that is involved, and score it by zones.

    The grade: CT-0 none; CT-1 less than 25 %; CT-2 from 25 %; CT-3 from 50 %; CT-4 from 75 % (Morozov et al. 2020).
    The score: the same limits give each of six zones 0 to 4 points (Wang et al. 2020). Both rules were read by eye,
    and the zones of the second parted at the carina and the lower pulmonary vein; here shares are measured, and the
    zones are the thirds of each lung. They say nothing of the cause.

    Args:
        percent_of_lung_involved: Lesions inside the lungs in percent of the lungs' volume; None where not known.
        percent_of_zones: The same of the upper, middle and lower third of each lung; None for a third without lung.

    Returns:
        Grade and score; None where the share is not known.

    Example:
        >>> severity = severity_of(30.0, [0.0, 10.0, 80.0, 0.0, 30.0, 60.0])
        >>> severity.grade, severity.score
        (2, 10)
    """
    if percent_of_lung_involved is None:
        return None
    return Severity(scale=SCALE, grade=_points(percent_of_lung_involved), score=_score(list(percent_of_zones)))


def points_of(percent: float | None) -> int | None:
    """Give the points of one zone: 0 for none, 1 below 25 %, 2 from 25 %, 3 from 50 %, 4 from 75 %.

    Args:
        percent: The share that is involved; None for a zone without lung.

    Returns:
        0 to 4, or None.
    """
    return None if percent is None else _points(percent)


def _points(percent: float) -> int:
    return 0 if percent == 0 else 1 + bisect_right(_FROM_PERCENT, percent)


def _score(percents: list[float | None]) -> int | None:
    known = [_points(percent) for percent in percents if percent is not None]
    return sum(known) if len(known) == len(percents) == 6 else None
