"""Only Hounsfield units pass: other values are refused, padding is replaced."""

from __future__ import annotations

from dataclasses import replace

from transforms.errors import IntensityError
from transforms.reading.histogram import ValueVerdict, judge_values
from transforms.reading.padding import PADDING_HU, replace_padding
from transforms.reading.volume import Volume


def in_hounsfield(volume: Volume, allow: frozenset[str]) -> Volume:
    """The volume with its padding replaced, in the same memory; values that `not-hu` lets through are left alone.

    Raises:
        IntensityError: For NaN and infinite values; for values that cannot be HU (:func:`judge_values`) unless `not-hu`
            is allowed.
    """
    verdict = judge_values(volume.array)
    if verdict.kind != "hu":
        _refuse(verdict, volume.path, allow)
        return volume
    said = replace_padding(volume.array) if verdict.low < PADDING_HU else None
    return volume if said is None else replace(volume, repairs=(*volume.repairs, said))


def _refuse(verdict: ValueVerdict, where: str, allow: frozenset[str]) -> None:
    if verdict.kind == "not-finite":
        raise IntensityError(
            "the volume holds values that are not numbers",
            where=where,
            found=verdict.evidence,
            expected="finite Hounsfield units",
            remedy="Replace them, for example by -1024 where nothing was measured",
        )
    if "not-hu" not in allow:
        raise IntensityError(
            "the values are not Hounsfield units",
            where=where,
            found=verdict.found,
            expected="air near -1000, fat near -100, water near 0",
            remedy=f"{_REMEDIES.get(verdict.kind, _GIVE_THE_CT)}, or pass --allow not-hu",
        )


_GIVE_THE_CT = "Give the CT before it was windowed or normalised"
_REMEDIES = {
    "padding-only": "Give a series in which something was measured",
    "shifted": "Apply the rescale intercept once (usually -1024)",
    "inverted": "Give the CT before it was inverted",
    "wrapped": "Store the values as signed integers",
    "cut-at-zero": "Give the CT with its negative values, and before anything was rescaled",
}
