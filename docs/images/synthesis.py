"""Draws the picture of docs/synthesis.md: `python docs/images/synthesis.py`.

A phantom without lesions, beside the same with painted ones, in three planes.
"""

from pathlib import Path

import numpy as np
import torch
from monai.data import MetaTensor
from PIL import Image

from pipeline.phantom import PhantomSpec, make_phantom
from transforms import RandPaintLesions

FILE = Path(__file__).with_suffix(".png")
COLOURS = np.array([[0, 0, 0], [255, 190, 60], [230, 80, 60], [90, 160, 255]], dtype=np.float32)
SEED = 3
HEIGHT = 250


def main() -> None:
    """Writes the picture."""
    made = make_phantom(PhantomSpec(seed=11, spacing_mm=(1.3, 1.3, 1.5), lesions=(), orientation="RAS"))
    affine = torch.from_numpy(made.affine)
    volumes = (MetaTensor(torch.from_numpy(array)[None], affine=affine) for array in (made.hu, made.lungs))
    hu, labels = (volume[0].numpy() for volume in RandPaintLesions(severe()).set_random_state(seed=SEED)(*volumes))
    places = [(axis, fullest(labels, axis)) for axis in (2, 1, 0)]
    rows = [
        [panel(image, mask, axis, index, made.spec.spacing_mm) for axis, index in places]
        for image, mask in ((made.hu, None), (hu, None), (hu, labels))
    ]
    sheet = Image.fromarray(np.concatenate([np.concatenate(row, axis=1) for row in rows]))
    sheet.save(FILE, optimize=True)


def severe() -> dict[str, object]:
    """All three kinds, so that one picture shows them."""
    return {
        "ground_glass": 1.0,
        "consolidation": 1.0,
        "pleural_effusion": 1.0,
        "severity": (0.9, 0.9),
        "thickness_mm": (12.0, 26.0),
    }


def fullest(labels: np.ndarray, axis: int) -> int:
    """The slice that shows most of every lesion."""
    others = tuple(other for other in range(3) if other != axis)
    shares = [(labels == value).sum(axis=others) / max((labels == value).sum(), 1) for value in (1, 2, 3)]
    return int(np.argmax(np.minimum(shares[0], shares[1]) * 3 + np.sum(shares, axis=0)))


def panel(
    hu: np.ndarray, labels: np.ndarray | None, axis: int, index: int, spacing_mm: tuple[float, float, float]
) -> np.ndarray:
    """One slice `(rows, columns, 3)` as radiologists look at it, its lesions in colour."""
    grey = (np.take(hu, index, axis).astype(np.float32) + 1150) / 1400 * 255
    colour = np.repeat(grey.clip(0, 255)[..., None], 3, axis=-1)
    if labels is not None:
        label = np.take(labels, index, axis)
        colour = np.where(label[..., None] > 0, 0.45 * colour + 0.55 * COLOURS[label], colour)
    turned = colour[::-1, ::-1].swapaxes(0, 1).astype(np.uint8)
    wide, high = (
        size * spacing_mm[other] for size, other in zip(colour.shape[:2], sorted({0, 1, 2} - {axis}), strict=True)
    )
    picture = Image.fromarray(np.ascontiguousarray(turned)).resize((round(HEIGHT * wide / high), HEIGHT))
    return np.pad(np.asarray(picture), ((2, 2), (2, 2), (0, 0)), constant_values=255)


if __name__ == "__main__":
    main()
