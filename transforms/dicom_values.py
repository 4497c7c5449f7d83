"""Values of header elements as the file has them: exact, without validation, and without a word about them."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

_TEXT_VRS = frozenset({"DS", "IS", "UI", "CS", "SH", "LO", "UN", None})
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
_FORBIDDEN = re.compile(r"[^A-Za-z0-9_.+/-]")
_LONGEST_CODE = 48
_LONGEST_UID = 64
_LARGEST = 1e90


@cache
def tag_of(keyword: str) -> BaseTag:
    """The tag of a keyword, looked up once: with thousands of files it is asked for often."""
    return Tag(keyword)


def texts(dataset: Dataset, keyword: str) -> list[str]:
    """The values of an element as text, without padding; an empty list where there is no value.

    Text is taken from the file's own bytes: pydicom would check it, which takes time, and print what it warns of.
    """
    values: Any
    element: Any = dataset.get_item(tag_of(keyword))
    if isinstance(element, RawDataElement) and element.VR in _TEXT_VRS:
        values = (element.value or b"").decode("latin-1").split("\\")
    else:
        values = dataset.get(keyword)
        if values is None or isinstance(values, str | bytes | int | float):
            values = [values]
    found = ["" if value is None else str(value).strip(" \0") for value in values]
    return found if any(found) else []


def text(dataset: Dataset, keyword: str) -> str:
    """The first value of an element, or nothing."""
    return next(iter(texts(dataset, keyword)), "")


def numbers(dataset: Dataset, keyword: str, count: int) -> tuple[float, ...] | None:
    """`count` numbers whose products are finite too, or `None`: a malformed value is as good as none."""
    found = texts(dataset, keyword)
    if len(found) != count or not all(map(_NUMBER.match, found)):
        return None
    values = tuple(map(float, found))
    return values if all(abs(value) <= _LARGEST for value in values) else None


def uid(dataset: Dataset, keyword: str) -> str:
    """A UID; where it is none, what stands there instead is made safe in messages and on command lines."""
    return _FORBIDDEN.sub("_", text(dataset, keyword))[:_LONGEST_UID]


def code(values: list[str]) -> str:
    """Coded values in one word that is safe in messages and on command lines: `ORIGINAL/PRIMARY/AXIAL`."""
    return _FORBIDDEN.sub("_", "/".join(values))[:_LONGEST_CODE]
