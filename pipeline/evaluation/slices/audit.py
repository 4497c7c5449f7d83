"""What a classifier of pictures reads besides the lungs: sizes and formats, what stands outside, tones, duplicates."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GroupKFold, cross_val_predict

from pipeline.evaluation.intervals import SAMPLES, Interval
from pipeline.evaluation.slices.intervals import with_intervals
from pipeline.evaluation.slices.near_duplicates import NEAR, difference_hash, near_pairs
from pipeline.evaluation.slices.scores import as_json, scores
from pipeline.export.files import make_folder, write_json
from transforms.errors import DataListError
from transforms.file_kinds import is_image
from transforms.hu_windows import HUWindow
from transforms.slices import SliceInput, read_stack
from transforms.slices.body import slice_region
from transforms.slices.probabilities import to_probabilities

logger = logging.getLogger(__name__)

FOLDS = 5
TONES = 17
DEALS = 4
"""How often the pictures are dealt out anew over the files."""

MOVED = 0.2
"""How far the ends of a picture's window are moved at most, as a share of it."""

CURVED = 1.5
"""Largest exponent of the grays in another window; the smallest is one over it."""

Predict = Callable[[torch.Tensor], torch.Tensor]
Array = NDArray[Any]


def audit_pictures(
    output_dir: str | PathLike[str],
    items: Sequence[Mapping[str, Any]],
    training_items: Sequence[Mapping[str, Any]],
    slice_input: SliceInput,
    predict: Predict,
    *,
    samples: int = SAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """Measures what speaks for or against trusting the scores of a two-class classifier of pictures.

    Writes `audit.json`: under `auroc` the area under the ROC curve, each with its interval, of

    - `model`: the pictures as the model sees them;
    - `nothing_blanked` and `outside_blanked`: the same with and without what stands outside the body;
    - `lungs_blanked`: the box of the lungs filled with one gray, which should leave little;
    - `windows_changed`: the pictures in windows drawn at random, which should change little;
    - `file_alone`: a forest that sees width, height, format and mode, cross-validated: what leaks in the files;
    - `file_through_model`: the model on pictures dealt out anew: each file keeps its size, format and mode, and shows
      another's picture. What of that leak gets through, which should be none (0.5 in the interval);
    - `tones_alone`: a forest that was trained on quantiles of the inputs of training: how far the choice of window and
      the density of the whole slice go. Not cross-validated: figures of one paper would stand on both sides;
    - `without_duplicates`: the model without pictures that training has nearly alike;

    and under `near_duplicates` those pairs. Volumes in the list are left out.

    Args:
        output_dir: Where to.
        items: Data list that is measured.
        training_items: Data list of training.
        slice_input: What the network is given.
        predict: Logits `(N, 2)` of inputs `(N, C, H, W)`.
        samples: Draws of the bootstrap.
        seed: Of the bootstrap and the forests.

    Raises:
        DataListError: When no picture is there, or only one class.
    """
    pictures = _pictures(items)
    labels = np.array([int(item["label"]) for item in pictures])
    if set(labels) != {0, 1}:
        raise DataListError(
            "an audit wants pictures of two classes", where="split", found=f"classes {sorted(set(labels.tolist()))}"
        )
    groups = [str(item.get("group", item["case"])) for item in pictures]
    slabs = [_slab(item, slice_input) for item in pictures]
    auroc = _auroc_of(labels, groups, samples, seed)

    def score(prepared: Sequence[torch.Tensor]) -> Array:
        return np.asarray(to_probabilities(predict(torch.stack(list(prepared))))[:, 1].numpy(), dtype=np.float64)

    inputs = [slice_input(slab)[0] for slab in slabs]
    of_model = score(inputs)
    hashes, tones, known = _of_training(training_items, slice_input)
    pairs = _duplicates(pictures, slabs, training_items, hashes)
    apart = ~np.isin(np.arange(len(labels)), [pair["number"] for pair in pairs])
    found = {
        "model": auroc(of_model),
        **{
            name: auroc(score([replace(slice_input, blank_outside=blank)(slab)[0] for slab in slabs]))
            for name, blank in (("nothing_blanked", False), ("outside_blanked", True))
        },
        "lungs_blanked": auroc(score(_without_lungs(slabs, inputs, slice_input))),
        "windows_changed": auroc(_in_other_windows(slabs, slice_input, score, seed)),
        "file_alone": auroc(_forest(np.array([_of_file(item) for item in pictures]), labels, groups, seed)),
        "file_through_model": auroc(_dealt_scores(pictures, labels, slice_input, score, seed)),
        "without_duplicates": auroc(of_model, apart),
    }
    if set(known) == {0, 1}:
        forest = _new_forest(seed).fit(np.array(tones), known)
        found["tones_alone"] = auroc(forest.predict_proba(np.array([_tones(image) for image in inputs]))[:, 1])
    for name, interval in found.items():
        logger.info("AUROC, %s: %.3f [%.3f, %.3f]", name, interval.value, interval.low, interval.high)
    content = {
        "pictures": len(pictures),
        "auroc": {name: {key: as_json(value) for key, value in asdict(one).items()} for name, one in found.items()},
        "near_duplicates": {
            "share_of_bits": NEAR,
            "pairs": [{k: v for k, v in p.items() if k != "number"} for p in pairs],
        },
    }
    write_json(make_folder(Path(output_dir)) / "audit.json", content)
    return content


def _auroc_of(labels: Array, groups: Sequence[str], samples: int, seed: int) -> Callable[..., Interval]:
    def auroc(score: Array, chosen: Array | None = None) -> Interval:
        # Items count again where there are several scores of each.
        kept = np.arange(len(score)) % len(labels) if chosen is None else np.flatnonzero(chosen)
        own = score if chosen is None else score[kept]
        found = with_intervals(
            lambda truth, both: {"auroc": scores(truth, both)["auroc"]},
            labels[kept],
            np.stack([1 - own, own], axis=1),
            [groups[int(number)] for number in kept],
            samples=samples,
            seed=seed,
        )
        return found["auroc"]

    return auroc


def _slab(item: Mapping[str, Any], settings: SliceInput) -> torch.Tensor:
    return read_stack(item["image"], image_window=settings.image_window).slab(0, settings.slices)


def _of_file(item: Mapping[str, Any]) -> list[float]:
    """Width, height, their ratio, whether it is a JPEG, and channels."""
    with Image.open(item["image"]) as picture:
        width, height = picture.size
        return [width, height, width / height, float(picture.format == "JPEG"), len(picture.getbands())]


def _tones(image: torch.Tensor) -> Array:
    return np.asarray(np.quantile(image.numpy(), np.linspace(0.02, 0.98, TONES)))


def _new_forest(seed: int) -> RandomForestClassifier:
    return RandomForestClassifier(200, min_samples_leaf=3, class_weight="balanced", random_state=seed)


def _forest(measures: Array, labels: Array, groups: Sequence[str], seed: int) -> Array:
    """Probability of the second class for each item, by forests that saw only other groups."""
    folds = GroupKFold(min(FOLDS, len(set(groups))), shuffle=True, random_state=seed)
    said = cross_val_predict(_new_forest(seed), measures, labels, groups=groups, cv=folds, method="predict_proba")
    return np.asarray(said[:, 1])


def _without_lungs(
    slabs: Sequence[torch.Tensor], inputs: Sequence[torch.Tensor], settings: SliceInput
) -> list[torch.Tensor]:
    """Inputs `(C, H, W)` whose box of the lungs is filled with one gray for all: that of each would tell what was."""
    gray, window = torch.stack(list(inputs)).mean(), HUWindow.from_config(settings.image_window)
    blanked = []
    for slab, image in zip(slabs, inputs, strict=True):
        middle = slab[0, slab.shape[1] // 2].clamp(window.low, window.high).numpy()
        shown, lungs = (slice_region(middle, region).box for region in (settings.region, "lungs"))
        height, width = shown.bottom - shown.top, shown.right - shown.left
        rows = [round((at - shown.top) / height * image.shape[1]) for at in (lungs.top, lungs.bottom)]
        columns = [round((at - shown.left) / width * image.shape[2]) for at in (lungs.left, lungs.right)]
        blank = image.clone()
        blank[:, max(0, rows[0]) : rows[1], max(0, columns[0]) : columns[1]] = gray
        blanked.append(blank)
    return blanked


def _in_other_windows(
    slabs: Sequence[torch.Tensor], settings: SliceInput, score: Callable[..., Array], seed: int
) -> Array:
    """Scores `(DEALS x N,)` of pictures whose ends of the window are moved and whose grays follow another curve."""
    draws, window = np.random.default_rng(seed), HUWindow.from_config(settings.image_window)
    width, found = window.high - window.low, []
    for _ in range(DEALS):
        prepared = []
        for slab in slabs:
            low, high = draws.uniform(-MOVED, MOVED, size=2) + np.array([0, 1])
            grays = (((slab - window.low) / width - low) / (high - low)).clamp(0, 1) ** CURVED ** draws.uniform(-1, 1)
            prepared.append(settings(window.low + width * grays)[0])
        found.append(score(prepared))
    return np.concatenate(found)


def _dealt_scores(
    pictures: Sequence[Mapping[str, Any]], labels: Array, settings: SliceInput, score: Callable[..., Array], seed: int
) -> Array:
    """Scores `(DEALS x N,)` of files that keep their size, format and mode and show another's picture.

    In turn the files show pictures of their own class and of the other one, so that either class shows as many of both.
    """
    draws = np.random.default_rng(seed)
    found = []
    for deal in range(DEALS):
        shown = np.zeros(len(pictures), dtype=int)
        for value in (0, 1):
            files, members = (np.flatnonzero(labels == one) for one in (value, (value + deal) % 2))
            shown[files] = np.resize(draws.permutation(members), len(files))
        dealt = zip(shown, pictures, strict=True)
        found.append(score([_rewritten(pictures[at]["image"], item, settings) for at, item in dealt]))
    return np.concatenate(found)


def _rewritten(source: str, item: Mapping[str, Any], settings: SliceInput) -> torch.Tensor:
    with Image.open(source) as picture, Image.open(item["image"]) as like:
        shown = picture.convert("RGBA").convert("L").resize(like.size, Image.Resampling.BICUBIC).convert(like.mode)
        with tempfile.NamedTemporaryFile(suffix=".png" if like.format == "PNG" else ".jpg") as file:
            shown.save(file, format=like.format)
            file.flush()
            return settings(_slab({"image": file.name}, settings))[0]


def _pictures(items: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [item for item in items if is_image(item["image"])]


def _of_training(
    items: Sequence[Mapping[str, Any]], settings: SliceInput
) -> tuple[list[NDArray[np.bool_]], list[Array], list[int]]:
    """Of each picture its hash, the tones of its input and its label: one picture is in memory at a time."""
    hashes, tones, labels = [], [], []
    for item in _pictures(items):
        slab = _slab(item, settings)
        hashes.append(difference_hash(slab[0, 0].numpy()))
        tones.append(_tones(settings(slab)[0]))
        labels.append(int(item["label"]))
    return hashes, tones, labels


def _duplicates(
    pictures: Sequence[Mapping[str, Any]],
    slabs: Sequence[torch.Tensor],
    training_items: Sequence[Mapping[str, Any]],
    hashes: Sequence[NDArray[np.bool_]],
) -> list[dict[str, Any]]:
    others = _pictures(training_items)
    own = [difference_hash(slab[0, 0].numpy()) for slab in slabs]
    return [
        {
            "number": pair.first,
            "case": pictures[pair.first]["case"],
            "training_case": others[pair.second]["case"],
            "share_of_bits": round(pair.distance, 4),
            "same_label": pictures[pair.first]["label"] == others[pair.second]["label"],
        }
        for pair in near_pairs(own, hashes)
    ]
