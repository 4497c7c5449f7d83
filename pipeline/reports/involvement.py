"""How much of each slice is marked: the curve along the body, and what is said of a slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.export.measurements import lies_outside_lung
from pipeline.reports.axial import AxialStack
from pipeline.reports.slice_chart import SliceChart, SliceSeries, slice_chart
from pipeline.reports.volumes import PictureVolumes
from pipeline.reports.wording import css_colour, number, plain_name


@dataclass(frozen=True, kw_only=True)
class SliceAreas:
    """Areas in square centimetres, a value a slice; times the slices' distance they are the volumes.

    Attributes:
        of_class: Class name to its areas.
        in_lung: Class name to its areas inside the lungs.
        lung: Of both lungs; zeros where none were found.
    """

    of_class: Mapping[str, npt.NDArray[np.float64]]
    in_lung: Mapping[str, npt.NDArray[np.float64]]
    lung: npt.NDArray[np.float64]

    @property
    def marked(self) -> npt.NDArray[np.float64]:
        """Of all classes together."""
        return np.asarray(sum(self.of_class.values(), np.zeros_like(self.lung)))


def slice_areas(stack: AxialStack, volumes: PictureVolumes, classes: Mapping[str, int]) -> SliceAreas:
    """Measure the slices.

    Args:
        stack: Their counts.
        volumes: Their grid.
        classes: Class name to label value; the background (0) is left out.
    """
    voxel_mm3 = abs(float(np.linalg.det(volumes.affine[:3, :3])))
    voxel_cm2 = voxel_mm3 / volumes.spacing_mm[2] / 100.0
    areas = np.asarray(stack.counts * voxel_cm2, dtype=np.float64)
    lesions = {name: value for name, value in classes.items() if value != 0}
    return SliceAreas(
        of_class={name: areas[:, 0, value] + areas[:, 1, value] for name, value in lesions.items()},
        in_lung={name: areas[:, 1, value] for name, value in lesions.items()},
        lung=areas[:, 1].sum(axis=1),
    )


def involvement_chart(areas: SliceAreas, classes: Mapping[str, int], ends: tuple[str, str]) -> SliceChart:
    """Lay out the areas over the slices.

    Args:
        areas: Of the slices.
        classes: Class name to label value, for the colours.
        ends: What lies beyond slice 0 and beyond the last slice.
    """
    series = [
        SliceSeries(name=plain_name(name), values=values.tolist(), colour=css_colour(classes[name]))
        for name, values in areas.of_class.items()
    ]
    shadow = SliceSeries(name="outline of the lungs (own scale)", values=areas.lung.tolist(), colour="")
    return slice_chart(
        series or [SliceSeries(name="nothing", values=[0.0] * len(areas.lung), colour="gray")],
        title="Involvement along the body",
        y_name="cm² in the slice",
        ends=ends,
        shadow=shadow if areas.lung.any() else None,
    )


def slice_captions(areas: SliceAreas) -> list[str]:
    """Say what is marked in each slice."""
    return [_caption(areas, index) for index in range(len(areas.lung))]


def telling_slices(areas: SliceAreas, count: int = 6) -> list[int]:
    """Choose slices to show: those with most marked that are not neighbours; with nothing marked, evenly through.

    Args:
        areas: Of the slices.
        count: How many at most.

    Returns:
        Their indices, ascending.
    """
    marked = areas.marked
    if not marked.any():
        return _evenly(np.flatnonzero(areas.lung) if areas.lung.any() else np.arange(len(marked)), count)
    involved = np.flatnonzero(marked)
    apart = max(1, len(involved) // (2 * count))
    chosen: list[int] = []
    for index in involved[np.argsort(-marked[involved], kind="stable")]:
        if all(abs(index - other) >= apart for other in chosen):
            chosen.append(int(index))
        if len(chosen) == count:
            break
    return sorted(chosen)


def _evenly(indices: Sequence[int] | npt.NDArray[np.intp], count: int) -> list[int]:
    places = np.linspace(0, len(indices) - 1, count + 2)[1:-1] if len(indices) > count else np.arange(len(indices))
    return sorted({int(indices[round(place)]) for place in places})


def _caption(areas: SliceAreas, index: int) -> str:
    lung = areas.lung[index]
    said = []
    for name, values in areas.of_class.items():
        if values[index] == 0:
            continue
        share = ""
        if lung > 0 and not lies_outside_lung(name):
            share = f" ({number(100 * areas.in_lung[name][index] / lung)} % of the lung)"
        said.append(f"{plain_name(name)} {number(values[index])} cm²{share}")
    return ", ".join(said) or "nothing marked"
