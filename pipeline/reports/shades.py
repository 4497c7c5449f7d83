"""HU in eight bits, fine where eyes look: one picture of a slice serves every HU window of the viewer."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.export.preview import LUNG_WINDOW, SOFT_TISSUE_WINDOW

#: HU and the code that it is stored as; straight lines between. A step is 8.5 HU in lung, 3 HU in soft tissue, 84 HU in
#: bone: finer than a step of gray in a lung window, and 2 steps of gray in a mediastinal one.
KNOTS: tuple[tuple[int, int], ...] = ((-1050, 0), (-160, 105), (240, 240), (1500, 255))

#: HU windows of the viewer, lowest and highest HU.
HU_WINDOWS: dict[str, tuple[float, float]] = {"lung": LUNG_WINDOW, "mediastinal": SOFT_TISSUE_WINDOW}

_LOW, _HIGH = KNOTS[0][0], KNOTS[-1][0]
_CODES = np.rint(np.interp(np.arange(_LOW, _HIGH + 1), [hu for hu, _ in KNOTS], [code for _, code in KNOTS])).astype(
    np.uint8
)


def to_codes(hu: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Give the code of each HU.

    Args:
        hu: Of any shape; integer or floating point.

    Returns:
        ``uint8`` of the same shape.

    Example:
        >>> to_codes(np.array([-3000, -1050, -160, 240, 3000]))
        array([  0,   0, 105, 240, 255], dtype=uint8)
    """
    clipped = np.clip(hu, _LOW, _HIGH)
    if not np.issubdtype(clipped.dtype, np.integer):
        clipped = np.rint(np.nan_to_num(clipped, nan=_LOW))
    codes: npt.NDArray[np.uint8] = _CODES[clipped.astype(np.intp) - _LOW]
    return codes
