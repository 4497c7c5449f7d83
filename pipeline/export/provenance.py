"""Where a result came from: input, weights, versions, options, time. Written last: its presence says done."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.export.files import write_json

#: Name of the file; a case is done when it is there.
PROVENANCE_FILE = "provenance.json"

_PACKAGES = ("ctvol", "torch", "monai", "numpy")
#: What is taken from a volume's meta about the input: identifiers, nothing about the patient.
_IDENTITY = ("format", "series_uid", "study_uid", "frame_of_reference_uid")


@dataclass(frozen=True, kw_only=True)
class BundleIdentity:
    """Which bundle and weights made a result.

    Attributes:
        name: The bundle's name.
        version: The version in its metadata.
        weights_hash: Hash of the weights file, with the algorithm before a colon; None where there are no weights.
    """

    name: str
    version: str
    weights_hash: str | None = None


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """What a later run into the same folder needs to know of a case that is done.

    Attributes:
        input_stamp: What tells its input from a changed one: `pipeline.cohorts.input_stamp`.
        settings: All settings that the result depends on: `pipeline.bundle.result_settings`.
    """

    input_stamp: Mapping[str, Any] | None = None
    settings: Mapping[str, Any] | None = None


def provenance(
    case: str,
    hu: npt.NDArray[Any],
    meta: Mapping[str, Any],
    *,
    bundle: BundleIdentity,
    stages: Mapping[str, float],
    files: Sequence[str] = (),
    findings: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    device: str | None = None,
    started: datetime | None = None,
    run: RunRecord | None = None,
) -> dict[str, Any]:
    """Put together what ``provenance.json`` says.

    Args:
        case: The case's name.
        hu: The native volume ``(X, Y, Z)``; it is hashed, not copied.
        meta: Its meta. Taken from it: the path that the user gave, UIDs, format, repairs and the region of interest.
        bundle: The bundle that was run.
        stages: Stage to seconds.
        files: Names of the result files of this run.
        findings: What was noticed on the way, as short sentences.
        options: Options of the run; values that JSON does not know are written as text.
        device: Name of the device.
        started: When the case was begun, aware of its time zone; left out where None.
        run: What a later run into the same folder needs.

    Returns:
        Dictionaries, lists, strings, numbers and None.
    """
    path = meta.get("filename_or_obj")
    return {
        "case": case,
        "started": None if started is None else started.astimezone(UTC).isoformat(timespec="seconds"),
        "input": {
            "path": None if path is None else str(path),
            **{key: str(meta[key]) for key in _IDENTITY if meta.get(key) is not None},
            "shape": list(hu.shape),
            "voxels": {"type": str(hu.dtype), "hash": voxel_hash(hu)},
            **({} if run is None else {"files": run.input_stamp}),
            "repairs": [str(repair) for repair in meta.get("repairs") or ()],
        },
        "region": meta.get("region"),
        "findings": list(findings),
        "bundle": asdict(bundle),
        "versions": {"python": platform.python_version(), **{package: _version(package) for package in _PACKAGES}},
        "device": device,
        "options": json.loads(json.dumps(dict(options or {}), default=str)),
        **({} if run is None else {"settings": run.settings, "settings_hash": settings_hash(run.settings)}),
        **_outcome(stages, files),
    }


def settings_hash(settings: Mapping[str, Any] | None) -> str:
    """SHA-256 of settings, in whatever order they stand: two runs with the same one were configured alike."""
    text = json.dumps(settings, sort_keys=True, default=str)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def completed(
    record: Mapping[str, Any],
    *,
    stages: Mapping[str, float],
    files: Sequence[str],
    tables: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
) -> dict[str, Any]:
    """Complete a provenance that was put together before all files were written.

    Args:
        record: What :func:`provenance` gave.
        stages: Stage to seconds.
        files: Names of the result files of this run.
        tables: The case's rows in the tables of the run, by the table's name, from which a later run mends these.

    Returns:
        The record with these.
    """
    return {**record, **_outcome(stages, files), **({} if tables is None else {"tables": tables})}


def write_provenance(folder: str | PathLike[str], content: Mapping[str, Any]) -> Path:
    """Write ``provenance.json`` into a case's folder; to be called after all other files.

    Args:
        folder: The case's folder.
        content: What :func:`provenance` gave.

    Returns:
        The file.

    Raises:
        OutputError: When it cannot be written.
    """
    path = Path(folder) / PROVENANCE_FILE
    write_json(path, dict(content))
    return path


def read_provenance(folder: str | PathLike[str]) -> dict[str, Any] | None:
    """Read a case's provenance.

    Args:
        folder: The case's folder.

    Returns:
        What was written; None where the case is not done, or its file cannot be read as JSON.
    """
    try:
        content = json.loads((Path(folder) / PROVENANCE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def voxel_hash(volume: npt.NDArray[Any]) -> str:
    """Hash a volume's voxels.

    Args:
        volume: ``(X, Y, Z)``, of any type. Hashed slice by slice along the last axis, x fastest, as NIfTI stores it.

    Returns:
        ``blake2b:`` and 32 hexadecimal digits.
    """
    digest = hashlib.blake2b(digest_size=16)
    for plane in volume.transpose(2, 1, 0):
        digest.update(np.ascontiguousarray(plane).data)
    return f"blake2b:{digest.hexdigest()}"


def _outcome(stages: Mapping[str, float], files: Sequence[str]) -> dict[str, Any]:
    return {
        "seconds": {stage: round(float(seconds), 3) for stage, seconds in stages.items()},
        "files": list(files),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
