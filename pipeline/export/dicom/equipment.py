"""What made a result, as DICOM names it."""

from __future__ import annotations

import unicodedata
from importlib import metadata
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

from pydicom.uid import UID

from pipeline.export.provenance import BundleIdentity

MAKER = "ctvol"
_LONG_STRING = 64


def software_version() -> str:
    """The version of this software."""
    return metadata.version(MAKER)


def equipment(bundle: BundleIdentity) -> dict[str, Any]:
    """Give the attributes of the equipment modules, as highdicom takes them."""
    return {
        "manufacturer": MAKER,
        "manufacturer_model_name": plain_text(bundle.name),
        "software_versions": software_version(),
        "device_serial_number": weights_id(bundle),
    }


def device_uid() -> UID:
    """The UID of this software, the same for each of its versions' results."""
    return UID(f"2.25.{uuid5(NAMESPACE_DNS, f'{MAKER} {software_version()}').int}")


def weights_id(bundle: BundleIdentity) -> str:
    """The beginning of the weights' hash; `none` without weights."""
    return (bundle.weights_hash or "none").rpartition(":")[2][:16]


def plain_text(text: str) -> str:
    """A text of at most 64 characters that every DICOM character set holds: accents go, backslashes too."""
    folded = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    kept = "".join(letter if letter.isprintable() and letter != "\\" else " " for letter in folded)
    return " ".join(kept.split())[:_LONG_STRING] or "unnamed"
