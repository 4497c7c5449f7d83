"""Which classes a data set has."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.planning.cases import CaseFacts
from transforms.errors import UnreadableError


def listed_classes(data: Path) -> dict[str, int] | None:
    """Class name to value from `labels` of `dataset.json`, in the Decathlon's way or nnU-Net's; None where it has none.

    Raises:
        UnreadableError: When `labels` is neither.
    """
    listing = data / "dataset.json"
    content = json.loads(listing.read_text(encoding="utf-8-sig")) if listing.is_file() else {}
    labels = content.get("labels")
    if not labels:
        return None
    try:
        if all(str(key).isdigit() for key in labels):
            found = {str(name): int(value) for value, name in labels.items()}
        else:
            found = {str(name): int(value) for name, value in labels.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise UnreadableError(
            "the classes of the data set cannot be read", where=listing, found=labels,
            expected='"labels": {"0": "background", "1": "tumour"}',
        ) from error  # fmt: skip
    return dict(sorted(({"background": 0} | {n: v for n, v in found.items() if v}).items(), key=lambda item: item[1]))


def found_classes(cases: Sequence[CaseFacts]) -> Mapping[str, int]:
    """Names for values that the data set does not name: `lesion` where there is one, else `class_1` and so on.

    The bundle's own are not guessed: SEG and SR would call whatever was labelled 1 a ground glass opacity.

    Args:
        cases: What was looked at.
    """
    values = sorted({value for case in cases for value in case.class_ml})
    if len(values) == 1:
        return {"background": 0, "lesion": values[0]}
    return {"background": 0} | {f"class_{value}": value for value in values}
