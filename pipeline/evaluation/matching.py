"""Predictions and references of the same case, and those that are alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.evaluation.label_maps import LabelMapFile
from transforms.errors import NotFoundError

_ROLE = re.compile(
    r"(?:[_.-]*(?:0000|ct|images?|img|masks?|labels?|seg|segmentation|truth|gt|preds?|prediction|CT))+$", re.IGNORECASE
)
"""What names of images and their masks differ in: `STS_001_CT_image` and `STS_001_CT_mask` are of one case."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A case that has both.

    Attributes:
        case: The prediction's name for it.
        prediction: The predicted label map.
        reference: The reference.
    """

    case: str
    prediction: LabelMapFile
    reference: LabelMapFile


@dataclass(frozen=True, kw_only=True)
class Matching:
    """Which predictions have a reference.

    Attributes:
        pairs: Cases that have both, in the order of the predictions.
        predictions_alone: Predictions without a reference.
        references_alone: References without a prediction.
    """

    pairs: tuple[Pair, ...]
    predictions_alone: tuple[Path, ...] = ()
    references_alone: tuple[Path, ...] = ()


def match(predictions: Mapping[str, LabelMapFile], references: Mapping[str, LabelMapFile]) -> Matching:
    """Pairs predictions with references of the same name.

    What finds no partner so is compared by its name without endings such as `_image`, `_mask`, `_seg` or `_0000`, where
    that names one prediction and one reference only.

    Args:
        predictions: Case name to file.
        references: Likewise.

    Raises:
        NotFoundError: When nothing has a partner.
    """
    partners = {case: case for case in predictions if case in references}
    partners |= _by_bare_name(
        [case for case in predictions if case not in partners],
        [case for case in references if case not in partners.values()],
    )
    if not partners:
        raise NotFoundError(
            "no prediction has a reference of its name",
            found=", ".join(list(predictions)[:5]) or "no predicted label maps",
            expected=", ".join(list(references)[:5]) or "reference label maps",
            remedy="Name both after their cases",
        )
    taken = set(partners.values())
    return Matching(
        pairs=tuple(
            Pair(case=case, prediction=file, reference=references[partners[case]])
            for case, file in predictions.items()
            if case in partners
        ),
        predictions_alone=tuple(file.path for case, file in predictions.items() if case not in partners),
        references_alone=tuple(file.path for case, file in references.items() if case not in taken),
    )


def _by_bare_name(predictions: list[str], references: list[str]) -> dict[str, str]:
    bare = [{case: _ROLE.sub("", case).casefold() for case in cases} for cases in (predictions, references)]
    counts = [Counter(names.values()) for names in bare]
    of_name = {name: case for case, name in bare[1].items()}
    return {
        case: of_name[name] for case, name in bare[0].items() if name and counts[0][name] == 1 and counts[1][name] == 1
    }
