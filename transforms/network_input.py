"""What a network is given of a volume: where it looks, on which grid, in which HU windows."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from monai.transforms import ConcatItemsd, DeleteItemsd

from transforms.field_of_view import AddFieldOfViewd
from transforms.grids import NetworkLattice, PatchLattice, RegionOfInterestd, ToNetworkGridd
from transforms.grids.region import Region
from transforms.grids.resampling import Mode
from transforms.hu_windows import HUWindowsd

FIELD_KEY = "field_of_view"
"""Where the field of view stands until it is a channel of the image."""

Step = Callable[[Mapping[Hashable, Any]], Mapping[Hashable, Any]]


@dataclass(frozen=True, kw_only=True)
class NetworkInput:
    """The settings that training, validation and inference share, so that a network sees what it was trained on.

    Attributes:
        spacing_mm: Of the network grid along x, y, z; `None` keeps the input's along that axis.
        orientation: Axis codes of the network grid.
        image_size: In-plane voxels of the network grid, whatever the spacing: slices are resized to it; `None` goes by
            the spacing.
        region: What is searched: `lungs`, `body` or `all`.
        margin_mm: Around the region of interest.
        windows: HU windows, each one channel (:class:`transforms.HUWindowsd`); `None` leaves values as they are.
        scaling: `scaling`, `mean` and `std` of :class:`transforms.HUWindowsd`.
        field_of_view: Whether a further channel is 1 where the volume is, 0 where a patch looks beyond it
            (:class:`transforms.AddFieldOfViewd`); not for slabs.
        patches: `patch_size`, `overlap` and, where wanted, `min_weight` of :class:`transforms.grids.PatchLattice`
            where a region is searched in patches: they lie where they would lie on the whole volume, and see all that
            they would see there.
    """

    spacing_mm: Sequence[float | None]
    orientation: str = "RAS"
    image_size: Sequence[int] | None = None
    region: Region = "lungs"
    margin_mm: float = 20.0
    windows: Sequence[Any] | None = ("lesion",)
    scaling: Mapping[str, Any] = field(default_factory=lambda: {"scaling": "unit"})
    field_of_view: bool = False
    patches: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, settings: NetworkInput | Mapping[str, Any]) -> NetworkInput:
        """The settings of a config's mapping."""
        return settings if isinstance(settings, NetworkInput) else cls(**settings)

    def steps(self, *, label_key: str | None = None, lungs_key: str | None = None) -> list[Step]:
        """The transforms from the volume as read under `image` to the network's input."""
        return [
            *self.grid_steps(label_key=label_key, lungs_key=lungs_key),
            *self.field_steps(),
            *self.join_steps(),
        ]

    def field_steps(self) -> list[Step]:
        """Puts the field of view under a key of its own, to be deformed as the image is."""
        return [AddFieldOfViewd("image", FIELD_KEY)] if self.field_of_view else []

    def join_steps(self) -> list[Step]:
        """Makes the field of view the last channel of the image."""
        if not self.field_of_view:
            return []
        return [ConcatItemsd(["image", FIELD_KEY], "image"), DeleteItemsd(FIELD_KEY)]

    def grid_steps(self, *, label_key: str | None = None, lungs_key: str | None = None) -> list[Step]:
        """The transforms from the volume as read under `image` to the network grid and HU windows.

        Args:
            label_key: A label map that comes along; the region is widened to hold its labels.
            lungs_key: Where the coarse lung mask is kept; what is searched then stays in the meta too.
        """
        keys = ["image"] if label_key is None else ["image", label_key]
        modes: list[Mode] = ["linear", "nearest"]
        grid = ToNetworkGridd(
            keys,
            self.spacing_mm,
            orientation=self.orientation,
            size=(None, None, None) if self.image_size is None else (*self.image_size, None),
            mode=modes[: len(keys)],
        )
        return [
            RegionOfInterestd(
                keys,
                self.region,
                margin_mm=self.margin_mm,
                lungs_key=lungs_key,
                label_key=label_key,
                lattice=None if label_key is not None else self._lattice(),
                searched=label_key is None,
            ),
            grid,
            *([] if self.windows is None else [HUWindowsd("image", self.windows, **self.scaling)]),
        ]

    def _lattice(self) -> NetworkLattice | None:
        if self.patches is None:
            return None
        patches = PatchLattice(**{**self.patches, "patch_size": tuple(self.patches["patch_size"])})
        return NetworkLattice(patches=patches, spacing_mm=self.spacing_mm, orientation=self.orientation)
