"""How severe the lungs' involvement is, after a published grading."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

#: Name of the grading: Morozov et al., "MosMedData: Chest CT Scans with COVID-19 Related Findings Dataset",
#: medRxiv 2020.05.20.20100362 (2020).
SCALE = "CT-0 to CT-4 (Morozov et al. 2020)"
_FROM_PERCENT = (25.0, 50.0, 75.0)


@dataclass(frozen=True, kw_only=True)
class Severity:
    """A grade and the scale that it belongs to.

    Attributes:
        scale: Name of the scale.
        grade: 0 to 4.
    """

    scale: str
    grade: int


def severity_of(percent_of_lung_involved: float | None) -> Severity | None:
    """Grade the share of the lungs that is involved.

    CT-0 none; CT-1 less than 25 %; CT-2 from 25 %; CT-3 from 50 %; CT-4 from 75 % (Morozov et al. 2020). That scale
    was read by eye; here the share is measured over both lungs together. It says nothing of the cause.

    Args:
        percent_of_lung_involved: Lesions inside the lungs in percent of the lungs' volume; None where not known.

    Returns:
        The grade; None where the share is not known.

    Example:
        >>> severity_of(30.0).grade
        2
    """
    if percent_of_lung_involved is None:
        return None
    if percent_of_lung_involved == 0:
        return Severity(scale=SCALE, grade=0)
    return Severity(scale=SCALE, grade=1 + bisect_right(_FROM_PERCENT, percent_of_lung_involved))
