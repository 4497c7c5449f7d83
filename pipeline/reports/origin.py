"""What the input check said of a case, and where its results came from, without the path: it may name a patient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.reports.volumes import PictureVolumes
from pipeline.reports.wording import number

Fact = tuple[str, str]

_OBLIQUE_FROM = 0.5
_FORMATS = {"dicom": "DICOM", "nifti": "NIfTI", "nrrd": "NRRD", "metaimage": "MetaImage", "picture": "Picture"}


@dataclass(frozen=True, kw_only=True)
class InputCheck:
    """The verdict of the input check.

    Attributes:
        kind: `good` where there is nothing to say, else `warn`.
        verdict: A sentence.
        repairs: What the reader put right.
        findings: What later steps noticed.
        volume: What was read, in a sentence.
    """

    kind: Literal["good", "warn"]
    verdict: str
    repairs: list[str]
    findings: list[str]
    volume: str


def check_of(record: Mapping[str, Any], volumes: PictureVolumes | None) -> InputCheck:
    """Sum up what was noticed about the input.

    Args:
        record: The provenance.
        volumes: The volume; None for a picture.
    """
    repairs, findings = list(record["input"]["repairs"]), list(record["findings"])
    said = []
    if repairs:
        said.append("read after repairs")
    if findings:
        said.append("with findings")
    verdict = "Input check: read as it is, nothing to remark." if not said else f"Input check: {', '.join(said)}."
    return InputCheck(
        kind="warn" if said else "good",
        verdict=verdict,
        repairs=repairs,
        findings=findings,
        volume=_volume_said(record, volumes),
    )


def origin_facts(record: Mapping[str, Any]) -> list[Fact]:
    """List where the results came from.

    Args:
        record: The provenance.
    """
    given, bundle = record["input"], record["bundle"]
    identifiers = [(f"{key.replace('_', ' ').replace('uid', 'UID')}", given.get(key)) for key in _UIDS]
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items() if version)
    stages = ", ".join(f"{stage} {number(seconds)}" for stage, seconds in record["seconds"].items())
    facts = [
        ("bundle", f"{bundle['name']} {bundle['version']}"),
        ("weights", bundle["weights_hash"]),
        ("region searched", record.get("region")),
        *((f"option: {name.replace('_', ' ')}", _plain(value)) for name, value in record["options"].items()),
        ("device", record.get("device")),
        ("versions", versions),
        ("started", record.get("started")),
        ("seconds", stages),
        *identifiers,
        ("voxels", given["voxels"]["hash"]),
    ]
    return [(name, str(value)) for name, value in facts if value not in (None, "")]


_UIDS = ("study_uid", "series_uid", "frame_of_reference_uid")


def _volume_said(record: Mapping[str, Any], volumes: PictureVolumes | None) -> str:
    given = record["input"]
    shape = " × ".join(str(length) for length in given["shape"])
    form = str(given.get("format", "picture"))
    if volumes is None:
        return f"{_FORMATS.get(form, form)}, {shape} pixels."
    x, y, z = (f"{step:.3g}" for step in volumes.spacing_mm)
    said = f"{_FORMATS.get(form, form)}, {shape} voxels; {x} × {y} × {z} mm to the left, the back and the feet."
    if volumes.oblique_degrees > _OBLIQUE_FROM:
        said += f" Oblique by {volumes.oblique_degrees:.1f}°: shown along its own axes."
    return said


def _plain(value: Any) -> str:
    """An option as people write it."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(_plain(item) for item in value)
    return "none" if value is None else str(value)
