"""A series as rows of text."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.inspection.results import Gap, Rescale, SeriesInspection, TransferSyntax
from pipeline.inspection.wording import Row, dimensions, listed


def series_rows(one: SeriesInspection) -> Iterator[Row]:
    """What is said of a series, most important first."""
    yield ("taken" if one.taken else "not taken"), one.reason
    yield "slices", f"{one.slices} of {one.rows} rows x {one.columns} columns, {one.modality}, {_files(one)}"
    yield "spacing", _spacing(one)
    yield "orientation", _orientation(one)
    yield "tilt", f"{one.tilt_degrees:g} degrees" if one.tilt_degrees else None
    yield "gaps", f"{len(one.gaps)}: {listed([_gap(gap) for gap in one.gaps])}" if one.gaps else None
    yield "duplicates", f"{one.duplicates} in the place of another slice" if one.duplicates else None
    yield "acquisitions", listed(one.acquisitions) if len(one.acquisitions) > 1 else None
    yield "times", listed(one.temporal_positions) if len(one.temporal_positions) > 1 else None
    yield "rescale", listed([_rescale(pair, one.slices) for pair in one.rescales])
    yield "encoding", listed([_syntax(syntax) for syntax in one.transfer_syntaxes])
    yield "scanner", " ".join(filter(None, [one.manufacturer, one.model]))
    yield "acquired", _acquired(one)


def _files(one: SeriesInspection) -> str:
    return "one file" if one.files == 1 else f"{one.files} files"


def _spacing(one: SeriesInspection) -> str:
    pixels = "pixel spacing not given" if one.pixel_spacing_mm is None else dimensions(one.pixel_spacing_mm)
    thick = f"{listed([f'{thickness:.4g}' for thickness in one.thicknesses_mm])} mm thick" if one.thicknesses_mm else ""
    apart = "" if one.spacing_mm is None else f"{one.spacing_mm:.4g} mm apart over {one.extent_mm:.4g} mm"
    return ", ".join(filter(None, [pixels, thick, apart]))


def _orientation(one: SeriesInspection) -> str:
    if one.plane is None:
        return "not given"
    oblique = f"{one.oblique_degrees:g} degrees oblique" if one.oblique_degrees else ""
    return ", ".join(filter(None, [one.plane, oblique, one.patient_position]))


def _gap(gap: Gap) -> str:
    return f"{gap.width_mm:g} mm from {gap.start_mm:g} to {gap.end_mm:g}"


def _rescale(pair: Rescale, slices: int) -> str:
    some = "" if pair.slices == slices else f" ({pair.slices} slices)"
    if pair.slope is None or pair.intercept is None:
        return f"slope or intercept not given{some}"
    return f"slope {pair.slope:g}, intercept {pair.intercept:g}{some}"


def _syntax(syntax: TransferSyntax) -> str:
    return syntax.name if syntax.readable else f"{syntax.name} (no decoder installed: pip install ctvol[codecs])"


def _acquired(one: SeriesInspection) -> str:
    voltage = f"{listed([f'{kilovolts:g}' for kilovolts in one.kilovolts])} kV" if one.kilovolts else ""
    kernel = f"kernel {listed(one.kernels)}" if one.kernels else ""
    agent = "with contrast agent" if one.contrast_agent else "no contrast agent named"
    return ", ".join(filter(None, [kernel, voltage, agent]))
