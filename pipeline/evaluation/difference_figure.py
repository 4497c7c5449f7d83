"""What a prediction got right and wrong, slice by slice: image, truth, prediction, and where they differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ignite.engine import Engine
from monai.data.meta_tensor import MetaTensor
from monai.engines.utils import IterationEvents
from nibabel.orientations import apply_orientation, axcodes2ornt, io_orientation, ornt_transform
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pipeline.export.drawing import colour_of
from pipeline.export.files import make_folder, replacing

HIT, FALSE_POSITIVE, MISS = (255, 255, 0), (255, 0, 0), (0, 255, 0)
"""Colours of voxels of a lesion in both masks, in the prediction alone, and in the truth alone."""

_TITLES = ("image", "truth", "prediction", "overlay", "missed")
_HEADER = 18
_GAP = 4
_OPACITY = 0.6
_GRAY_SHARES = (0.5, 99.5)

Slices = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class DifferenceFigure:
    """Handler for an evaluator of whole cases: draws some slices of each case.

    The slices are spread over those that show a lesion in the truth or the prediction. A row a slice: the image, the
    true mask, the prediction, an overlay with what both have in yellow, what only the prediction has in red and what
    it misses in green, and what it misses alone. A voxel of one lesion class that is taken for another is false in
    one and missed in the other: the overlay shows it red, the last column shows it too.

    Attributes:
        output_dir: Gets `figures/CASE.png`.
        slices: Slices of a case; 0 draws nothing.
    """

    output_dir: str | Path
    slices: int = 4

    def attach(self, engine: Engine) -> None:
        """Attaches to the evaluator."""
        if self.slices > 0:
            engine.add_event_handler(IterationEvents.MODEL_COMPLETED, self.draw)

    def draw(self, engine: Engine) -> None:
        """Draws the case of this iteration, once it is a label map."""
        batch: Any = engine.state.batch
        output: Any = engine.state.output
        if isinstance(batch, Mapping) and isinstance(output, Mapping):
            case = {**batch, **output}
            target = make_folder(Path(self.output_dir) / "figures") / f"{case['case']}.png"
            with replacing(target) as temporary:
                difference_figure(case, self.slices).save(temporary, format="PNG")


def difference_figure(case: Mapping[str, Any], slices: int) -> Image.Image:
    """The figure of one case.

    Args:
        case: `image` `(C, X, Y, Z)` on the network grid, and `label` and `pred` `(1, X, Y, Z)` on one grid.
        slices: Rows, at most.
    """
    truth, pred = _seen(case["label"]), _seen(case["pred"])
    image = _seen(case["image"])
    hit = np.flatnonzero((truth > 0).any(axis=(1, 2)) | (pred > 0).any(axis=(1, 2)))
    among = hit if hit.size else np.arange(len(truth))
    chosen = among[np.unique(np.linspace(0, len(among) - 1, min(slices, len(among))).round().astype(int))]
    low, high = np.percentile(image, _GRAY_SHARES)
    rows = []
    for index in chosen:
        # The image is on its own grid: the slice at the same share of the way.
        place = round(index * (len(image) - 1) / max(len(truth) - 1, 1))
        gray = np.clip((image[place] - low) / max(high - low, 1e-6), 0, 1) * 255
        size = truth.shape[2], truth.shape[1]
        rows.append(_row(np.asarray(Image.fromarray(gray.astype(np.uint8)).resize(size)), truth[index], pred[index]))
    return _titled(np.concatenate(rows))


def _seen(volume: MetaTensor) -> Slices:
    """The slices as they are looked at: `(N, rows, columns)`, the patient's right on the left."""
    here = io_orientation(np.asarray(volume.affine, dtype=np.float64))
    turned = apply_orientation(volume[0].cpu().numpy(), ornt_transform(here, axcodes2ornt("LPS")))
    return np.asarray(turned).transpose(2, 1, 0)


def _row(gray: Slices, truth: Slices, pred: Slices) -> Slices:
    base = np.repeat(gray[..., None], 3, axis=2).astype(np.float32)
    missed = (truth > 0) & (pred != truth)
    overlay = base.copy()
    for mask, colour in (
        ((truth > 0) & (pred == truth), HIT),
        ((truth > 0) & (pred == 0), MISS),
        ((pred > 0) & (pred != truth), FALSE_POSITIVE),
    ):
        overlay[mask] = (1 - _OPACITY) * overlay[mask] + _OPACITY * np.array(colour, dtype=np.float32)
    alone = np.where(missed[..., None], np.array(MISS, dtype=np.float32), 0)
    panels = [base, _coloured(truth), _coloured(pred), overlay, alone]
    gap = np.full((len(gray), _GAP, 3), 255, dtype=np.float32)
    parts = [part for panel in panels for part in (panel, gap)][:-1]
    below = np.full((_GAP, sum(part.shape[1] for part in parts), 3), 255, dtype=np.float32)
    return np.concatenate([np.concatenate(parts, axis=1), below]).round().astype(np.uint8)


def _coloured(labels: Slices) -> Slices:
    shown = np.zeros((*labels.shape, 3), dtype=np.float32)
    for value in np.unique(labels[labels > 0]):
        shown[labels == value] = colour_of(int(value))
    return shown


def _titled(rows: Slices) -> Image.Image:
    figure = Image.new("RGB", (rows.shape[1], rows.shape[0] + _HEADER), "white")
    figure.paste(Image.fromarray(rows), (0, _HEADER))
    draw = ImageDraw.Draw(figure)
    width = (rows.shape[1] + _GAP) / len(_TITLES)
    for number, title in enumerate(_TITLES):
        draw.text((number * width + 2, 3), title, fill="black")
    return figure
