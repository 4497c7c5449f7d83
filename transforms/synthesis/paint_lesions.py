"""Random transforms that paint lesions into the lungs of a CT."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data.meta_tensor import MetaTensor
from monai.transforms import MapTransform, Randomizable, Transform
from numpy.typing import NDArray

from transforms.errors import GeometryError
from transforms.grids.grid import Grid, placed
from transforms.synthesis.drawing import draw_lesions
from transforms.synthesis.lesions import DEFAULT_CLASSES, LesionPlan, LesionRanges
from transforms.synthesis.lung_space import LungSpace
from transforms.synthesis.painting import paint_lesions


class RandPaintLesions(Randomizable, Transform):
    """Paints ground glass, consolidation and pleural effusion into the lungs of one CT.

    A way to learn lesions from CTs that show none, in the line of label-free training (Yao et al. 2021, NormNet).
    What is painted is drawn first (:attr:`plan`) and applied after.

    Args:
        ranges: What is drawn, :class:`LesionRanges` or a mapping of its settings; `None` for the default.
        prob: Share of the volumes that are painted on.
        classes: The value of each lesion in the label map.

    Example:
        >>> image, label = RandPaintLesions().set_random_state(seed=0)(image, lungs)  # doctest: +SKIP
    """

    def __init__(
        self,
        ranges: LesionRanges | Mapping[str, Any] | None = None,
        *,
        prob: float = 1.0,
        classes: Mapping[str, int] = DEFAULT_CLASSES,
    ) -> None:
        self.ranges = LesionRanges.of(ranges)
        self.prob = prob
        self.classes = {name: classes[name] for name in DEFAULT_CLASSES}
        self.plan: LesionPlan | None = None
        self._space: LungSpace | None = None

    def randomize(self, space: LungSpace) -> None:
        """Draws the lesions of a CT with these lungs; none in a share of the CTs."""
        healthy = self.R.uniform() >= self.prob
        self.plan = LesionPlan() if healthy else draw_lesions(self.R, space, self.ranges)

    def __call__(  # type: ignore[override]
        self, image: torch.Tensor, lungs: torch.Tensor, randomize: bool = True
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns the CT with lesions, and their label map; voxels outside of the label map are as they were.

        Args:
            image: `(1, X, Y, Z)` in HU, a `MetaTensor`.
            lungs: `(1, X, Y, Z)` on the same grid: 1 the patient's left lung, 2 the right, 0 elsewhere.
            randomize: Draw new lesions; otherwise those of the last call are painted again.

        Raises:
            GeometryError: When the image has not one channel and three axes, or the lungs are on another grid.
            LabelError: When there are no lungs.
        """
        volume = _volume(image)
        space = LungSpace.of(_array(lungs).astype(np.uint8), Grid.of(volume))
        if randomize or self.plan is None:
            self.randomize(space)
        plan = self.plan or LesionPlan()
        painted = paint_lesions(_array(volume), space, plan, ranges=self.ranges, classes=self.classes)
        hu, labels = (torch.from_numpy(voxels)[None] for voxels in (painted.hu, painted.labels))
        affine = space.native.affine
        return placed(hu, affine, volume.meta), placed(labels, affine, volume.meta)


class RandPaintLesionsd(Randomizable, MapTransform):
    """Dictionary form of :class:`RandPaintLesions`.

    Args:
        keys: The CT, one key.
        lungs_key: Its lungs on the same grid: 1 the patient's left, 2 the right.
        label_key: Where the label map goes; labels that are there already stay where nothing is painted over them.
        ranges: See :class:`RandPaintLesions`, as what follows.
        prob: Share of the volumes that are painted on.
        classes: The value of each lesion.
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        lungs_key: str = "lungs",
        label_key: str = "label",
        ranges: LesionRanges | Mapping[str, Any] | None = None,
        prob: float = 1.0,
        classes: Mapping[str, int] = DEFAULT_CLASSES,
    ) -> None:
        MapTransform.__init__(self, keys)
        self.lungs_key = lungs_key
        self.label_key = label_key
        self.paint = RandPaintLesions(ranges, prob=prob, classes=classes)

    def set_random_state(
        self, seed: int | None = None, state: np.random.RandomState | None = None
    ) -> RandPaintLesionsd:
        """Sets where all that is drawn comes from."""
        super().set_random_state(seed, state)
        self.paint.set_random_state(state=self.R)
        return self

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Returns the dictionary with the painted CT and its label map.

        Raises:
            GeometryError: When there is more than one CT, or the grids differ.
            LabelError: When there are no lungs.
        """
        painted = dict(data)
        if len(self.keys) != 1:
            raise GeometryError("lesions are painted into one volume", where="keys", found=len(self.keys), expected=1)
        key = self.keys[0]
        painted[key], label = self.paint(data[key], data[self.lungs_key])
        if self.label_key in painted:
            before = torch.as_tensor(painted[self.label_key])
            label = torch.where(label > 0, label, before.to(label.dtype))
        painted[self.label_key] = label
        return painted


def _volume(image: torch.Tensor) -> MetaTensor:
    if not isinstance(image, MetaTensor) or image.ndim != 4 or image.shape[0] != 1:
        raise GeometryError(
            "lesions are painted into a CT of one channel with its affine",
            found=f"{type(image).__name__} {tuple(image.shape)}",
            expected="MetaTensor (1, X, Y, Z)",
        )
    return image


def _array(volume: torch.Tensor) -> NDArray[Any]:
    return np.asarray(torch.as_tensor(volume)[0].as_subclass(torch.Tensor).cpu().numpy())
