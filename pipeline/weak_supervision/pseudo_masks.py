"""A data set for segmentation out of one that has labels alone."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from pipeline.cohorts.evaluator import CasesFailedError
from pipeline.export.files import make_folder, write_json
from pipeline.export.nifti import write_label_map
from pipeline.inference.slices import SliceInferer
from pipeline.weak_supervision.labelled_volumes import LabelledVolume, labelled_volumes
from pipeline.weak_supervision.mining import Mask, RegionMining, mined_region
from pipeline.weak_supervision.refining import LesionRefinement
from transforms.anatomy import native_lungs
from transforms.errors import CTError, DataListError, OutputError
from transforms.slices import SliceInput, SliceStack, read_stack

logger = logging.getLogger(__name__)

MAX_NAMED = 5
"""How many cases an error names before it only counts them."""


class PseudoMasks:
    """Writes masks of what a classifier looks at in labelled volumes, and the `dataset.json` that lists them.

    Volumes and slices whose label is the first class get no lesion, whatever the classifier says: the label is what
    is known. In the others the regions of slices that show lung are mined, and refined to lung and intensity.

    Args:
        output_dir: Gets `labels/<case>.nii.gz` and `dataset.json`; images stay where they are.
        slice_input: What the network is given.
        inferer: Runs the network.
        mining: Settings of :class:`RegionMining`.
        refinement: Settings of :class:`LesionRefinement`.
        allow: What the reader would otherwise refuse.
    """

    def __init__(
        self,
        output_dir: str | PathLike[str],
        slice_input: SliceInput | Mapping[str, Any],
        inferer: SliceInferer,
        *,
        mining: Mapping[str, Any] | None = None,
        refinement: Mapping[str, Any] | None = None,
        allow: Sequence[str] = (),
    ) -> None:
        self.folder = Path(output_dir).absolute()
        self.slice_input = SliceInput.of(slice_input)
        self.inferer = inferer
        self.mining = RegionMining(**(mining or {}))
        self.refinement = LesionRefinement(**(refinement or {}))
        self.allow = allow

    def run(self, splits: Mapping[str, Sequence[Mapping[str, Any]]], network: nn.Module, layer: str) -> Path:
        """Writes the masks of all volumes.

        Args:
            splits: Split to its data list, as :func:`pipeline.datasets.slices.load_slice_datalist` has it.
            network: The classifier.
            layer: Whose features are weighed.

        Returns:
            The path of `dataset.json`, which is written last.

        Raises:
            DataListError: When there is no volume.
            CasesFailedError: At the end, when volumes could not be read or show no lung; the others are written and
                listed.
            OutputError: When a file cannot be written.
        """
        volumes = [(split, volume) for split, items in splits.items() for volume in labelled_volumes(items)]
        if not volumes:
            raise DataListError(
                "there is no volume to make masks of", expected="a data list of CT volumes",
                remedy="For pictures of slices, masks must be drawn",
            )  # fmt: skip
        make_folder(self.folder / "labels")
        listing: dict[str, list[dict[str, str]]] = {}
        failed: list[str] = []
        for split, volume in tqdm(volumes, desc="pseudo-masks", disable=None):
            try:
                listing.setdefault(split, []).append(self._write(volume, network, layer))
            except OutputError:
                raise
            except CTError as error:
                logger.error("case %s failed: %s", volume.case, error)
                failed.append(volume.case)
        labels = {"0": "background", "1": "lesion"}
        write_json(
            self.folder / "dataset.json", {"name": "pseudo-masks", "modality": {"0": "CT"}, "labels": labels, **listing}
        )
        if failed:
            raise CasesFailedError(
                f"{len(failed)} of {len(volumes)} cases failed: {', '.join(failed[:MAX_NAMED])}",
                remedy="See the messages above; the other cases are in dataset.json",
            )
        return self.folder / "dataset.json"

    def region(self, stack: SliceStack, volume: LabelledVolume, network: nn.Module, layer: str) -> Mask:
        """What of a volume the classifier judges it by, `(X, Y, Z)`; see :func:`mined_region`."""
        return mined_region(
            stack, volume, self.mining, network, layer, slice_input=self.slice_input, inferer=self.inferer
        )

    def refined(self, stack: SliceStack, region: Mask) -> NDArray[np.uint8]:
        """The mask of a region of a volume, `(X, Y, Z)`."""
        if stack.volume is None or not region.any():
            return np.zeros(region.shape, dtype=np.uint8)
        hu, affine = stack.volume.numpy()[0], np.asarray(stack.volume.affine, dtype=np.float64)
        return self.refinement(region, hu, native_lungs(hu, affine), np.linalg.norm(affine[:3, :3], axis=0).tolist())

    def _write(self, volume: LabelledVolume, network: nn.Module, layer: str) -> dict[str, str]:
        stack = read_stack(volume.image, image_window=self.slice_input.image_window, allow=self.allow)
        mask = self.refined(stack, self.region(stack, volume, network, layer))
        affine = np.eye(4) if stack.volume is None else np.asarray(stack.volume.affine, dtype=np.float64)
        name = f"labels/{volume.case}.nii.gz"
        write_label_map(mask, affine, self.folder / name)
        voxel_ml = abs(float(np.linalg.det(affine[:3, :3]))) / 1000
        logger.info("%s: %.1f ml", volume.case, int(mask.sum()) * voxel_ml)
        entry = {"case": volume.case, "image": os.path.relpath(volume.image, self.folder), "label": name}
        return entry if volume.patient is None else {**entry, "patient": volume.patient}
