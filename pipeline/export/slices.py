"""Result files of one classified case: Grad-CAM overlays, the curve along the body, provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from pipeline.export.charts import GRAY, Series, chart
from pipeline.export.files import make_folder, replacing
from pipeline.export.overlay import attention_overlay
from transforms.hu_windows import HUWindow, WindowForm
from transforms.slices import SliceBox, SliceStack

CURVE_FILE = "curve.png"
GRADCAM_FOLDER = "gradcam"


def slice_rows(
    case: str,
    slices: Sequence[int],
    depth: int,
    probabilities: NDArray[np.floating],
    chosen: Sequence[int],
    classes: Sequence[str],
) -> list[dict[str, str]]:
    """The rows of a case for `predictions.csv`: one for each slice, those without lung marked so.

    Args:
        case: The case's name.
        slices: Which slices were classified, ascending.
        depth: How many slices there are.
        probabilities: `(N, K)` of these.
        chosen: The class of each.
        classes: Names, in the order of their values.
    """
    names = [f"p_{name}" for name in classes]
    said = {
        index: {**{name: f"{value:.6f}" for name, value in zip(names, row, strict=True)}, "predicted": classes[one]}
        for index, row, one in zip(slices, probabilities, chosen, strict=True)
    }
    empty = {**dict.fromkeys(names, ""), "predicted": "", "note": "no lung"}
    return [{"case": case, "slice": str(index), "note": "", **said.get(index, empty)} for index in range(depth)]


def write_curve(
    folder: Path, slices: Sequence[int], depth: int, probabilities: NDArray[np.floating], classes: Sequence[str],
    volume: NDArray[np.floating],
) -> str:  # fmt: skip
    """Draws the probability of the finding (of all classes but the first) over the slices of a volume.

    Args:
        folder: The case's folder.
        slices: Which slices were classified.
        depth: How many there are.
        probabilities: `(N, K)` of these.
        classes: Names, in the order of their values.
        volume: `(K,)` of the volume.

    Returns:
        The file's name.
    """
    name = classes[1] if len(classes) == 2 else f"not {classes[0]}"
    points = [(float(index), float(1 - row[0])) for index, row in zip(slices, probabilities, strict=True)]
    level = float(1 - volume[0])
    picture = chart(
        [
            Series(points=[(0, level), (max(1, depth - 1), level)], colour=GRAY, kind="dashed", name="volume"),
            Series(points=points, name="slice"),
        ],
        title=f"{name}: {level:.2f}",
        x_name="slice",
        y_name="probability",
        x_range=(0, max(1, depth - 1)),
    )
    with replacing(folder / CURVE_FILE) as temporary:
        picture.save(temporary, format="PNG")
    return CURVE_FILE


def write_gradcam(
    folder: Path,
    stack: SliceStack,
    shown: Mapping[int, tuple[SliceBox, torch.Tensor]],
    image_window: WindowForm = "lung",
) -> list[str]:
    """Writes an overlay for each of some slices, of the slice's own size.

    Args:
        folder: The case's folder.
        stack: The case's slices.
        shown: Slice index to the box that the network saw, and the map `(h, w)` of its input.
        image_window: How the slice is shown.

    Returns:
        The files' names.
    """
    target = make_folder(folder / GRADCAM_FOLDER)
    for old in target.glob("slice_*.png"):
        old.unlink()
    window = HUWindow.from_config(image_window)
    names = []
    for index, (box, attention) in shown.items():
        hu = np.asarray(stack.hu[stack.position(index)], dtype=np.float32)
        gray = np.rint(np.clip((hu - window.low) / (window.high - window.low), 0, 1) * 255).astype(np.uint8)
        name = f"slice_{index:04d}.png"
        with replacing(target / name) as temporary:
            attention_overlay(gray, _in_slice(attention, box, gray.shape)).save(temporary, format="PNG")
        names.append(f"{GRADCAM_FOLDER}/{name}")
    return names


def _in_slice(attention: torch.Tensor, box: SliceBox, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """A map of the network's input in its place in the slice."""
    top, left, bottom, right = box
    part = Image.fromarray(attention.numpy().astype(np.float32)).resize(
        (right - left, bottom - top), Image.Resampling.BILINEAR
    )
    whole = np.zeros(shape, dtype=np.float32)
    whole[top:bottom, left:right] = np.asarray(part)
    return whole
