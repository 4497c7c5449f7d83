"""What a label map says in numbers: volumes, share of the lungs, density, components, zones, severity."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from monai.data.utils import affine_to_spacing

from pipeline.export.class_counts import ClassCounts, count_classes, slice_axis_of
from pipeline.export.lung_zones import LEFT, RIGHT, LungCounts, count_lungs
from pipeline.export.severity import Severity, severity_of
from pipeline.export.zone_figures import LungDensity, LungZones, density_of, zones_of

__all__ = ["LEFT", "OUTSIDE_LUNG_WORDS", "RIGHT", "LesionMeasurement", "LungVolume", "Measurements", "measure"]

Array = npt.NDArray[Any]

#: A class whose name holds one of these words lies around the lung, not in it.
OUTSIDE_LUNG_WORDS = ("pleura", "effusion", "pneumothorax", "empyema")

#: Components that are listed one by one, the largest.
_LISTED = 20


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
class SliceRange:
    """The slices that something lies in, as indices from 0 along the volume's slice axis.

    Attributes:
        axis: The index axis of the volume that runs most along the patient.
        first: The first slice.
        last: The last one.
    """

    axis: int
    first: int
    last: int


@dataclass(frozen=True, kw_only=True)
class ComponentMeasurement:
    """One connected part of a class.

    Attributes:
        volume_ml: Its volume.
        slices: Where it lies.
    """

    volume_ml: float
    slices: SliceRange


@dataclass(frozen=True, kw_only=True)
class LesionMeasurement:
    """One class of a label map.

    Attributes:
        volume_ml: Volume of all its voxels.
        percent_of_lung: For a lesion of the lung, its part inside the lung mask, in percent of the lungs' volume. For
            one around the lung (effusion) its whole volume in percent of the lungs' volume, which can exceed 100.
            None where no lungs were found.
        percent_of_left_lung: Its part inside the left lung in percent of that lung's volume; None for a class around
            the lung and where that lung was not found.
        percent_of_right_lung: The same of the right lung.
        mean_hu: Mean of its voxels in HU; None where it has none.
        std_hu: Standard deviation of its voxels in HU, over all of them (no correction for a sample).
        components: Number of its connected parts; voxels that share a face, an edge or a corner are connected.
        largest_component_ml: Volume of the largest part; 0 where there is none.
        slices: The slices that it lies in; None where it has no voxel.
        largest_components: The 20 largest parts, one by one, the largest first.
    """

    volume_ml: float
    percent_of_lung: float | None
    percent_of_left_lung: float | None = None
    percent_of_right_lung: float | None = None
    mean_hu: float | None
    std_hu: float | None = None
    components: int
    largest_component_ml: float = 0.0
    slices: SliceRange | None = None
    largest_components: tuple[ComponentMeasurement, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """The numbers of one case, in the shape of ``measurements.json``.

    Attributes:
        case: The case's name.
        spacing_mm: Distance of neighbouring voxels along each axis of the native grid.
        lung_volume_ml: Volumes of the lungs.
        lung_density: What the HU of the lungs say.
        lesions: Class name to its numbers, in the order of the label values.
        percent_of_lung_involved: All lesions of the lung together, inside the lung mask, in percent of the lungs'
            volume; None where no lungs were found or no class is a lesion of the lung.
        zones: The lesions of the lung in each third of each lung.
        severity: Grade and score after those percentages; None where the former is None.
    """

    case: str
    spacing_mm: tuple[float, float, float]
    lung_volume_ml: LungVolume
    lung_density: LungDensity
    lesions: Mapping[str, LesionMeasurement]
    percent_of_lung_involved: float | None
    zones: LungZones
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

    All counting is done on the native grid, in bounding boxes or a block of slices at a time; no copy of a whole
    volume is made.

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
    counts = count_classes(label_map, hu, classes, slice_axis_of(matrix))
    around = {name for name in counts if (lies_outside_lung(name) if outside_lung is None else name in outside_lung)}
    in_lungs = None if lungs is None else count_lungs(label_map, hu, lungs, matrix)
    if in_lungs is not None and not in_lungs.by_side.any():
        in_lungs = None
    figures = _Figures(
        voxel_ml=abs(float(np.linalg.det(matrix[:3, :3]))) / 1000.0, slice_axis=slice_axis_of(matrix), lungs=in_lungs
    )
    in_lung = [classes[name] for name in counts if name not in around]
    zones = zones_of(in_lungs, in_lung, figures.voxel_ml)
    percent = figures.percent(in_lung) if in_lung else None
    return Measurements(
        case=case,
        spacing_mm=_spacing_mm(matrix),
        lung_volume_ml=figures.lung_volume(),
        lung_density=density_of(in_lungs),
        lesions={name: figures.lesion(count, classes[name], around=name in around) for name, count in counts.items()},
        percent_of_lung_involved=percent,
        zones=zones,
        severity=severity_of(percent, zones.percents()),
    )


@dataclass(frozen=True, kw_only=True)
class _Figures:
    """Turns counts into figures."""

    voxel_ml: float
    slice_axis: int
    lungs: LungCounts | None

    def lung_volume(self) -> LungVolume:
        if self.lungs is None:
            return LungVolume(left=None, right=None, total=None)
        left, right = (int(voxels) for voxels in self.lungs.by_side)
        return LungVolume(left=left * self.voxel_ml, right=right * self.voxel_ml, total=(left + right) * self.voxel_ml)

    def percent(self, values: list[int], side: int | None = None) -> float | None:
        """Lung voxels with these labels in percent of a lung, or of both."""
        if self.lungs is None:
            return None
        rows = [0, 1] if side is None else [side - 1]
        lung = int(self.lungs.by_side[rows].sum())
        return None if lung == 0 else 100.0 * int(self.lungs.voxels[rows][:, :, values].sum()) / lung

    def lesion(self, count: ClassCounts, value: int, *, around: bool) -> LesionMeasurement:
        whole = None if self.lungs is None else 100.0 * count.voxels / int(self.lungs.by_side.sum())
        parts = [
            ComponentMeasurement(volume_ml=voxels * self.voxel_ml, slices=self._slices(first, last))
            for voxels, first, last in count.components
        ]
        return LesionMeasurement(
            volume_ml=count.voxels * self.voxel_ml,
            percent_of_lung=whole if around else self.percent([value]),
            percent_of_left_lung=None if around else self.percent([value], LEFT),
            percent_of_right_lung=None if around else self.percent([value], RIGHT),
            mean_hu=count.mean_hu,
            std_hu=count.std_hu,
            components=len(parts),
            largest_component_ml=parts[0].volume_ml if parts else 0.0,
            slices=self._slices(min(part.slices.first for part in parts), max(part.slices.last for part in parts))
            if parts
            else None,
            largest_components=tuple(parts[:_LISTED]),
        )

    def _slices(self, first: int, last: int) -> SliceRange:
        return SliceRange(axis=self.slice_axis, first=first, last=last)


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
