"""The region of interest of a volume: the box around the lungs, the body, or everything."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping
from typing import Any, Literal, get_args

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data.meta_tensor import MetaTensor
from monai.transforms import MapTransform
from numpy.typing import NDArray
from scipy import ndimage

from transforms.anatomy.body import body_mask
from transforms.anatomy.lungs import lung_masks
from transforms.anatomy.morphology import dilated
from transforms.errors import SettingError
from transforms.grids.grid import AxisMap, Grid, placed
from transforms.grids.lattice import NetworkLattice
from transforms.grids.network_grid import UNCROPPED, network_grid
from transforms.grids.resampling import resample

logger = logging.getLogger(__name__)

SEARCHED = "searched"
"""Key of the meta with the coarse mask of what is searched: the region and its margin."""

Region = Literal["lungs", "body", "all"]
Box = tuple[tuple[int, ...], tuple[int, ...]]

COARSE_SPACING_MM = 4.0
"""Spacing of the grid that the masks are found on: fine enough for a box, 100 times fewer voxels than a chest CT."""


class RegionOfInterestd(MapTransform):
    """Finds the lungs or the body at low resolution and crops the volumes to their box.

    Adds the coarse lung mask to the dictionary and to the meta of the first key `region` (what was used) and, where
    something is noteworthy, a sentence to `findings`. No lungs under `lungs` is a finding: the body is used.

    Args:
        keys: Volumes `(1, X, Y, Z)` on one grid; the first is in HU and decides.
        region: `lungs`, `body` or `all`.
        margin_mm: How far the box reaches beyond the mask on every side: fluid and thickened pleura lie outside the
            aerated lung.
        lungs_key: Where the coarse lung mask goes (`uint8`, 1 the patient's left, 2 the right, with its own affine;
            all zero where none were found); `None` leaves it out.
        label_key: A label map, one of the keys: the box is widened to hold its labels, so that nothing that is to be
            learned is cropped away.
        lattice: Patches of the network that will look: the box is widened to hold all that have a say in it, so that
            they see what they would see of the whole volume.
        searched: Whether the meta gets the mask itself, with its margin, under :data:`SEARCHED`.
        allow_missing_keys: Passes over keys that are not there.
    """

    def __init__(
        self,
        keys: KeysCollection,
        region: Region = "lungs",
        *,
        margin_mm: float = 20.0,
        lungs_key: str | None = "lungs",
        label_key: str | None = None,
        lattice: NetworkLattice | None = None,
        searched: bool = False,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if region not in get_args(Region):
            raise SettingError(
                "the region of interest is unknown", where="region", found=region, expected=", ".join(get_args(Region))
            )
        self.region: Region = region
        self.margin_mm = margin_mm
        self.lungs_key = lungs_key
        self.label_key = label_key
        self.lattice = lattice
        self.searched = searched

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Returns the dictionary with the volumes cropped (views, no copies) and their affines moved."""
        found = dict(data)
        first = self.first_key(found)
        image: MetaTensor = found[first]
        grid = Grid.of(image)
        coarse = network_grid(grid, [max(COARSE_SPACING_MM, spacing) for spacing in _ras_spacing(grid)], "RAS")
        hu = resample(image, grid, coarse, mode="nearest")[0].cpu().numpy()
        mask, region, lungs, findings = _look(hu, coarse, self.region, self.lungs_key is not None)
        start, stop = _box(mask, coarse, grid, self.margin_mm) if mask is not None else ((0, 0, 0), grid.shape)
        if self.label_key is not None and mask is not None:
            wide = _holding(found[self.label_key], start, stop)
            if wide != (start, stop):
                findings.append(f"labels lie outside of the {region}: the box was widened to hold them")
                start, stop = wide
        if self.lattice is not None:
            start, stop = self.lattice.around(start, stop, grid)
        for finding in findings:
            logger.warning("%s: %s", image.meta.get("filename_or_obj", "volume"), finding)
        notes: dict[str, Any] = {"region": region, "findings": [*image.meta.get("findings", []), *findings]}
        if self.searched and mask is not None:
            near = dilated(mask, self.margin_mm, coarse.spacing_mm.tolist())
            notes[SEARCHED] = MetaTensor(torch.from_numpy(near)[None], affine=torch.from_numpy(coarse.affine))
        for key in self.key_iterator(found):
            found[key] = _cropped(found[key], start, stop, notes if key == first else {})
        if self.lungs_key is not None:
            found[self.lungs_key] = MetaTensor(torch.from_numpy(lungs)[None], affine=torch.from_numpy(coarse.affine))
        return found


def _look(
    hu: NDArray[Any], grid: Grid, wanted: Region, want_lungs: bool
) -> tuple[NDArray[np.bool_] | None, Region, NDArray[np.uint8], list[str]]:
    """The mask to crop to (`None` for all), the region it stands for, the lungs, and what was noticed."""
    spacing = tuple(grid.spacing_mm)
    findings: list[str] = []
    lungs = np.zeros(hu.shape, dtype=np.uint8)
    if wanted == "lungs" or want_lungs:
        lungs = lung_masks(hu, spacing)
    if wanted == "lungs":
        if lungs.any():
            return lungs > 0, "lungs", lungs, findings
        findings.append("no lungs found: the whole body was searched and no figures relative to the lungs are given")
    if wanted in ("lungs", "body"):
        body = body_mask(hu, spacing)
        if body.any():
            return body, "body", lungs, findings
        findings.append("no body found: the whole volume was searched")
    return None, "all", lungs, findings


def _box(mask: NDArray[np.bool_], coarse: Grid, grid: Grid, margin_mm: float) -> Box:
    """The box of a coarse mask in the indices of another grid, with a margin."""
    axis_map = AxisMap.between(grid, coarse)
    start, stop = [0, 0, 0], list(grid.shape)
    for coarse_axis, axis in enumerate(axis_map.axes):
        hit = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != coarse_axis)))
        margin = margin_mm / grid.spacing_mm[axis]
        ends = sorted(
            axis_map.scale[coarse_axis] * index + axis_map.offset[coarse_axis]
            for index in (hit[0] - 0.5, hit[-1] + 0.5)
        )
        # Rounded first: the same box whether the header has its numbers in float32 or in decimals.
        low, high = np.round((ends[0] - margin, ends[1] + margin), 3)
        start[axis] = max(0, int(np.floor(low)))
        stop[axis] = min(grid.shape[axis], int(np.ceil(high)) + 1)
    return tuple(start), tuple(stop)


def _holding(label: torch.Tensor, start: tuple[int, ...], stop: tuple[int, ...]) -> Box:
    """A box, widened to hold all labels."""
    box = ndimage.find_objects((label[0] > 0).cpu().numpy().astype(np.uint8))
    if not box or box[0] is None:
        return start, stop
    sides = box[0]
    return (
        tuple(min(a, side.start) for a, side in zip(start, sides, strict=True)),
        tuple(max(b, side.stop) for b, side in zip(stop, sides, strict=True)),
    )


def _cropped(volume: MetaTensor, start: tuple[int, ...], stop: tuple[int, ...], notes: dict[str, Any]) -> MetaTensor:
    grid = Grid.of(volume)
    affine = grid.cropped(start, stop).affine
    notes = notes | {UNCROPPED: {"shape": grid.shape, "affine": grid.affine}}
    box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    voxels = volume.as_subclass(torch.Tensor)[(slice(None), *box)]
    return placed(voxels, affine, dict(volume.meta) | notes)


def _ras_spacing(grid: Grid) -> list[float]:
    return [float(spacing) for spacing in grid.oriented("RAS").spacing_mm]
