"""Parts of a lung that hold no air: vessels, nodules, the smaller consolidations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from transforms.anatomy.morphology import Mask, closed
from transforms.anatomy.sides import LEFT, RIGHT

CLOSING_MM = 16.0
"""Vessels and lesions narrower than twice this are closed over; more fills the notches of heart and aorta. On synthetic
chests 12, 16 and 20 mm took in 35, 51 and 62 % of consolidation and 2, 3 and 3 % of what is no lung."""


def with_dense_parts(sides: NDArray[np.uint8], body: Mask, spacing_mm: Sequence[float]) -> NDArray[np.uint8]:
    """Adds to each lung what it encloses or half encloses.

    Args:
        sides: `(X, Y, Z)`, RAS+: 1 the patient's left lung, 2 the right, aerated parts.
        body: The body; nothing outside is added.
        spacing_mm: Along each axis.

    Returns:
        A label map like `sides`.
    """
    whole = sides.copy()
    for side in (LEFT, RIGHT):
        lung = closed(sides == side, CLOSING_MM, spacing_mm)
        whole[lung & body & (whole == 0)] = side
    return whole
