"""Draws the pictures of docs/augmentation.md: `python docs/images/augmentation.py`.

A slice of a phantom, its lesions in colour and a grid of lines every 20 mm, before and after deformations.
"""

from pathlib import Path

import numpy as np
import torch
from monai.data import MetaTensor
from PIL import Image

from pipeline.phantom import PhantomSpec, make_phantom
from transforms.augmentation import RandAffineElasticd

FOLDER = Path(__file__).parent
SPACING_MM = 2.0
LINES_MM = 20
COLOURS = np.array([[0, 0, 0], [255, 190, 60], [230, 80, 60], [90, 160, 255]], dtype=np.float32)
STILL = {"rotation_degrees": (0, 0, 0), "scale": 0, "shear": 0, "elastic_mm": 0}
ELASTIC = {**STILL, "elastic_mm": 16, "elastic_spacing_mm": 40}


def main() -> None:
    """Writes one picture a file."""
    data = phantom()
    each = {
        "augmentation": [
            STILL,
            {**STILL, "rotation_degrees": (15, 15, 15)},
            {**STILL, "scale": 0.2},
            {**STILL, "shear": 0.2},
            ELASTIC,
            {"rotation_degrees": (10, 10, 15), "scale": 0.2, "shear": 0.05, "elastic_mm": 6, "elastic_spacing_mm": 40},
        ],
        "augmentation_elastic": [
            {**ELASTIC, "elastic_mm": share * 0.4 * apart, "elastic_spacing_mm": apart}
            for share in (0.5, 1)
            for apart in (20, 40, 80)
        ],
    }
    for name, several in each.items():
        panels = [panel(deformed(data, ranges, seed=4)) for ranges in several]
        save(name, [panels[:3], panels[3:]])
    slab = deformed(data, {**ELASTIC, "rotation_degrees": (15, 15, 15), "in_plane": True}, seed=6, slices=3)
    save("augmentation_slab", [[panel(slab, index) for index in range(3)]])


def phantom() -> dict[str, MetaTensor]:
    """Image in 0..1, label map and lines, on one grid of 2 x 2 x 4 mm."""
    made = make_phantom(
        PhantomSpec(seed=5, shape=(176, 144, 40), spacing_mm=(SPACING_MM, SPACING_MM, 4.0), orientation="RAS")
    )
    shape = made.hu.shape
    every = int(LINES_MM / SPACING_MM)
    lines = np.zeros(shape, dtype=np.float32)
    lines[::every], lines[:, ::every] = 1, 1
    image = ((made.hu.astype(np.float32) + 1000) / 1300).clip(0, 1)
    arrays = {"image": image, "label": made.labels.astype(np.uint8), "lines": lines}
    return {key: MetaTensor(torch.from_numpy(array)[None], affine=made.affine) for key, array in arrays.items()}


def deformed(data: dict[str, MetaTensor], ranges: dict[str, object], *, seed: int, slices: int | None = None) -> dict:
    """The whole volume, or a slab of it."""
    transform = RandAffineElasticd(
        list(data),
        (176, 144, slices) if slices else None,
        mode=["linear", "nearest", "linear"],
        ranges=ranges,
    )
    transform.set_random_state(seed=seed).randomize(data)
    return dict(zip(data, transform.patch.apply(list(data.values()), transform.mode, [0, 0, 0]), strict=True))


def panel(patch: dict[str, MetaTensor], index: int | None = None) -> np.ndarray:
    """One axial slice `(rows, columns, 3)`, seen from the feet."""
    index = patch["image"].shape[-1] // 2 if index is None else index
    image, label, lines = (patch[key][0, ..., index].numpy() for key in ("image", "label", "lines"))
    colour = np.repeat(image[..., None] * 255, 3, axis=-1)
    colour = np.where(label[..., None] > 0, 0.45 * colour + 0.55 * COLOURS[label], colour)
    colour += 0.45 * lines[..., None] * (np.array([120, 255, 160]) - colour)
    turned = np.ascontiguousarray(colour[::-1, ::-1].swapaxes(0, 1)).clip(0, 255).astype(np.uint8)
    return np.pad(turned, ((2, 2), (2, 2), (0, 0)), constant_values=255)


def save(name: str, rows: list[list[np.ndarray]]) -> None:
    """A PNG of few colours, which is a small file."""
    sheet = Image.fromarray(np.concatenate([np.concatenate(row, axis=1) for row in rows]))
    sheet = sheet.resize((sheet.width * 3 // 2, sheet.height * 3 // 2), Image.Resampling.BICUBIC)
    sheet.quantize(64, dither=Image.Dither.NONE).save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
