"""What a label map says in numbers: volumes, share of the lungs, density, components, severity."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from monai.data.utils import affine_to_spacing
from scipy import ndimage

from pipeline.export.severity import Severity, severity_of

Array = npt.NDArray[Any]

#: Values of a lung mask.
LEFT, RIGHT = 1, 2
#: A class whose name holds one of these words lies around the lung, not in it.
OUTSIDE_LUNG_WORDS = ("pleura", "effusion", "pneumothorax", "empyema")

_VOXELS_AT_ONCE = 2**24


@dataclass(frozen=True, kw_only=True)
class LungVolume:
    """Volumes of the lungs.

    Attributes:
        left: The patient's left lung, in millilitres; None where no lungs were found.
        right: The patient's right lung.
        total: Both.
    """

    left: float | None
    right: float | None
    total: float | None


@dataclass(frozen=True, kw_only=True)
class LesionMeasurement:
    """One class of a label map.

    Attributes:
        volume_ml: Volume of all its voxels.
        percent_of_lung: For a lesion of the lung, its part inside the lung mask, in percent of the lungs' volume. For
            one around the lung (effusion) its whole volume in percent of the lungs' volume, which can exceed 100.
            None where no lungs were found.
        mean_hu: Mean of its voxels in HU; None where it has none.
        components: Number of its connected parts; voxels that share a face, an edge or a corner are connected.
    """

    volume_ml: float
    percent_of_lung: float | None
    mean_hu: float | None
    components: int


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """The numbers of one case, in the shape of ``measurements.json``.

    Attributes:
        case: The case's name.
        spacing_mm: Distance of neighbouring voxels along each axis of the native grid.
        lung_volume_ml: Volumes of the lungs.
        lesions: Class name to its numbers, in the order of the label values.
        percent_of_lung_involved: All lesions of the lung together, inside the lung mask, in percent of the lungs'
            volume; None where no lungs were found or no class is a lesion of the lung.
        severity: A grade after that percentage; None where it is None.
    """

    case: str
    spacing_mm: tuple[float, float, float]
    lung_volume_ml: LungVolume
    lesions: Mapping[str, LesionMeasurement]
    percent_of_lung_involved: float | None
    severity: Severity | None

    def as_json(self) -> dict[str, Any]:
        """Give the object of ``measurements.json``, numbers rounded to six decimals.

        Returns:
            Dictionaries, lists, strings, numbers and None.
        """
        rounded: dict[str, Any] = _rounded(asdict(self))
        return rounded


def measure(
    label_map: Array,
    hu: Array,
    lungs: Array | None,
    affine: npt.ArrayLike,
    classes: Mapping[str, int],
    *,
    case: str = "",
    outside_lung: Collection[str] | None = None,
) -> Measurements:
    """Measure the classes of a label map.

    All counting is done on the native grid, in each class's bounding box; no copy of a whole volume is made.

    Args:
        label_map: ``uint8 (X, Y, Z)``.
        hu: The native volume in HU, ``(X, Y, Z)``, integer or floating point.
        lungs: ``uint8 (X, Y, Z)``, 1 the patient's left lung, 2 the right; None where no lungs were found.
        affine: ``(4, 4)`` voxel to RAS+ millimetres. A voxel's volume is its determinant, so shear counts.
        classes: Class name to label value; the background (0) is left out.
        case: The case's name.
        outside_lung: Names of the classes that lie around the lung. By default those whose name holds one of
            :data:`OUTSIDE_LUNG_WORDS`.

    Returns:
        The measurements.

    Raises:
        ValueError: When the volumes' shapes differ.
    """
    _check_shapes(label_map, hu, lungs)
    matrix = np.asarray(affine, dtype=np.float64)
    voxel_ml = abs(float(np.linalg.det(matrix[:3, :3]))) / 1000.0
    left, right = _lung_voxels(lungs)
    if left + right == 0:
        lungs = None
    counts = _count_classes(label_map, hu, lungs, classes)
    around = {name for name in counts if (lies_outside_lung(name) if outside_lung is None else name in outside_lung)}
    in_lung = [count.in_lung for name, count in counts.items() if name not in around]
    percent = _percent(sum(in_lung), left + right) if in_lung else None
    return Measurements(
        case=case,
        spacing_mm=_spacing_mm(matrix),
        lung_volume_ml=_lung_volume(lungs, left, right, voxel_ml),
        lesions={
            name: LesionMeasurement(
                volume_ml=count.voxels * voxel_ml,
                percent_of_lung=_percent(count.voxels if name in around else count.in_lung, left + right),
                mean_hu=count.mean_hu,
                components=count.components,
            )
            for name, count in counts.items()
        },
        percent_of_lung_involved=percent,
        severity=severity_of(percent),
    )


def lies_outside_lung(name: str) -> bool:
    """Tell from a class's name whether it lies around the lung rather than in it.

    Args:
        name: The class's name.

    Returns:
        True for effusions and other things of the pleural space.

    Example:
        >>> lies_outside_lung("pleural_effusion"), lies_outside_lung("consolidation")
        (True, False)
    """
    return any(word in name.lower() for word in OUTSIDE_LUNG_WORDS)


@dataclass(frozen=True, kw_only=True)
class _Counts:
    voxels: int = 0
    in_lung: int = 0
    mean_hu: float | None = None
    components: int = 0


def _count_classes(label_map: Array, hu: Array, lungs: Array | None, classes: Mapping[str, int]) -> dict[str, _Counts]:
    boxes = ndimage.find_objects(label_map, max_label=max(1, *classes.values()))
    foreground = sorted((value, name) for name, value in classes.items() if value != 0)
    return {name: _count(label_map, hu, lungs, value, boxes[value - 1]) for value, name in foreground}


def _count(label_map: Array, hu: Array, lungs: Array | None, value: int, box: tuple[slice, ...] | None) -> _Counts:
    if box is None:
        return _Counts()
    mask = label_map[box] == value
    voxels = int(np.count_nonzero(mask))
    return _Counts(
        voxels=voxels,
        in_lung=0 if lungs is None else int(np.count_nonzero(lungs[box][mask])),
        mean_hu=float(np.mean(hu[box][mask], dtype=np.float64)),
        components=_components(mask),
    )


def _components(mask: Array) -> int:
    # The labelled image itself (four bytes a voxel of the box) is dropped at once.
    count = ndimage.label(mask, structure=np.ones((3, 3, 3), dtype=bool))[1]
    return int(count)


def _lung_voxels(lungs: Array | None) -> tuple[int, int]:
    if lungs is None:
        return 0, 0
    blocks = list(_blocks(lungs))
    left, right = (sum(int(np.count_nonzero(block == side)) for block in blocks) for side in (LEFT, RIGHT))
    return left, right


def _blocks(volume: Array) -> Iterator[Array]:
    step = max(1, _VOXELS_AT_ONCE * volume.shape[0] // volume.size)
    for start in range(0, volume.shape[0], step):
        yield volume[start : start + step]


def _lung_volume(lungs: Array | None, left: int, right: int, voxel_ml: float) -> LungVolume:
    if lungs is None:
        return LungVolume(left=None, right=None, total=None)
    return LungVolume(left=left * voxel_ml, right=right * voxel_ml, total=(left + right) * voxel_ml)


def _percent(voxels: int, lung_voxels: int) -> float | None:
    return None if lung_voxels == 0 else 100.0 * voxels / lung_voxels


def _spacing_mm(affine: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (float(step) for step in affine_to_spacing(affine))
    return x, y, z


def _check_shapes(label_map: Array, hu: Array, lungs: Array | None) -> None:
    shapes = {volume.shape for volume in (label_map, hu, lungs) if volume is not None}
    if len(shapes) > 1 or label_map.ndim != 3:
        raise ValueError(f"label map, HU and lungs must share one shape (X, Y, Z), not {sorted(shapes)}")


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return round(value, 6) if isinstance(value, float) else value
