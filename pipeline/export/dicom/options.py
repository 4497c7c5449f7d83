"""Settings of a DICOM SEG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from pipeline.export.dicom.codes import SegmentCodes, parse_codes
from transforms.errors import SettingError

SegType = Literal["binary", "labelmap"]
SegEncoding = Literal["auto", "uncompressed", "jpeg2000", "deflated"]


@dataclass(frozen=True, kw_only=True)
class SegOptions:
    """Settings of a DICOM SEG.

    Attributes:
        type: `binary`, which viewers and validators know: a segment a class, and the lungs. `labelmap`: the label
            map as it is, without the lungs, as its segments cannot overlap.
        encoding: `uncompressed`; `jpeg2000`; `deflated`; or `auto`, which is uncompressed while that is small and
            deflated where it would be large (docs/outputs.md says who reads what).
        codes: Codes of classes beyond the known ones, as :func:`~pipeline.export.dicom.codes.parse_codes` takes them.

    Raises:
        SettingError: When a setting is not known.
    """

    type: SegType = "binary"
    encoding: SegEncoding = "auto"
    codes: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("seg_type", self.type, get_args(SegType)),
            ("seg_encoding", self.encoding, get_args(SegEncoding)),
        ):
            if value not in allowed:
                raise SettingError("unknown setting", where=name, found=value, expected=" or ".join(allowed))
        parse_codes(self.codes or {})

    @property
    def class_codes(self) -> dict[str, SegmentCodes]:
        """Class name to its codes, for the classes that the settings name."""
        return parse_codes(self.codes or {})
