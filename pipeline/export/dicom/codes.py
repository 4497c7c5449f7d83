"""What segments and measurements are called in coded terms; the one place where codes stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from transforms.errors import SettingError

ABNORMAL = codes.SCT.MorphologicallyAbnormalStructure
ANATOMY = codes.SCT.AnatomicalStructure
LUNG = codes.SCT.Lung
LEFT, RIGHT = codes.SCT.Left, codes.SCT.Right

VOLUME, MILLILITRE = codes.SCT.Volume, Code("mL", "UCUM", "milliliter")
ATTENUATION, MEAN, HU = codes.DCM.AttenuationCoefficient, codes.SCT.Mean, codes.UCUM.HounsfieldUnit
STANDARD_DEVIATION = codes.SCT.StandardDeviation
PERCENT, COUNT = codes.UCUM.Percent, codes.UCUM.NoUnits
SEVERITY = Code("246112005", "SCT", "Severity")
CT_CHEST = Code("24627-2", "LN", "CT Chest")

OWN_SCHEME = "99CTVOL"
"""Scheme of the codes below, for which neither SNOMED CT nor DICOM has one."""
PERCENT_OF_LUNG = Code("percent_of_lung", OWN_SCHEME, "Percentage of the lung volume")
COMPONENTS = Code("components", OWN_SCHEME, "Number of connected components")


@dataclass(frozen=True, kw_only=True)
class SegmentCodes:
    """How a segment is coded.

    Attributes:
        category: Segmented property category, of DICOM's CID 7150.
        type: Segmented property type: what it is.
        modifier: Laterality or another modifier of the type; None where there is none.
        region: Anatomic region that it lies in; None where nothing is known of it.
    """

    category: Code
    type: Code
    modifier: Code | None = None
    region: Code | None = None


FALLBACK = SegmentCodes(category=ABNORMAL, type=codes.SCT.Lesion)
"""Of a class that nothing is known of; the segment's label still says its name."""

LEFT_LUNG = SegmentCodes(category=ANATOMY, type=LUNG, modifier=LEFT)
RIGHT_LUNG = SegmentCodes(category=ANATOMY, type=LUNG, modifier=RIGHT)

KNOWN_CLASSES: Mapping[str, SegmentCodes] = {
    "ground_glass": SegmentCodes(
        category=ABNORMAL, type=Code("1217294009", "SCT", "Ground glass opacity"), region=LUNG
    ),
    "consolidation": SegmentCodes(
        category=ABNORMAL, type=Code("95436008", "SCT", "Lung consolidation"), region=LUNG
    ),
    "pleural_effusion": SegmentCodes(
        category=ABNORMAL, type=codes.SCT.PleuralEffusion, region=codes.SCT.Pleura
    ),
}  # fmt: skip
"""Class name to codes. A bundle of other classes adds its own by the config key `segment_codes`."""

_PARTS = ("category", "type", "modifier", "region")


def segment_codes(name: str, own: Mapping[str, SegmentCodes]) -> SegmentCodes:
    """Find the codes of a class: the bundle's own, those known, or :data:`FALLBACK`.

    Args:
        name: The class's name; blanks and hyphens count as underscores for the known ones.
        own: Class name to codes, from :func:`parse_codes`.

    Returns:
        The codes.

    Example:
        >>> segment_codes("pleural effusion", {}).type.value
        '60046008'
    """
    plain = name.strip().lower().replace(" ", "_").replace("-", "_")
    return own.get(name) or KNOWN_CLASSES.get(plain) or FALLBACK


def parse_codes(content: Mapping[str, Mapping[str, Sequence[str]]]) -> dict[str, SegmentCodes]:
    """Read the config key `segment_codes`.

    Args:
        content: Class name to `category`, `type`, `modifier` and `region`, each as value, scheme and meaning. `type`
            is needed, `category` is morphologically abnormal structure where it is not said.

    Returns:
        Class name to codes.

    Raises:
        SettingError: When an entry is not of that form.

    Example:
        >>> parse_codes({"nodule": {"type": ["27925004", "SCT", "Nodule"]}})["nodule"].type.meaning
        'Nodule'
    """
    return {str(name): _parse_entry(str(name), entry) for name, entry in content.items()}


def _parse_entry(name: str, entry: Any) -> SegmentCodes:
    if not isinstance(entry, Mapping) or "type" not in entry or not set(entry) <= set(_PARTS):
        raise SettingError(
            "the codes of a class are not complete",
            where=f"segment_codes.{name}",
            found=", ".join(map(str, entry)) if isinstance(entry, Mapping) else entry,
            expected=f"`type` and, if you like, the others of {', '.join(_PARTS)}",
        )
    read = {part: _parse_code(f"segment_codes.{name}.{part}", code) for part, code in entry.items()}
    return SegmentCodes(**{"category": ABNORMAL, **read})


def _parse_code(where: str, code: Any) -> Code:
    is_code = isinstance(code, Sequence) and not isinstance(code, str) and len(code) == 3
    if not is_code or not all(isinstance(part, str) and part for part in code):
        raise SettingError(
            "a code is not of three texts",
            where=where,
            found=code,
            expected="value, scheme and meaning, such as ['27925004', SCT, Nodule]",
            remedy="Put numbers into quotation marks",
        )
    value, scheme, meaning = code
    return Code(value, scheme, meaning)
