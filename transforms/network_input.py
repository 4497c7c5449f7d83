"""What a network is given of a volume: where it looks, on which grid, in which HU windows."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from monai.transforms import ConcatItemsd, DeleteItemsd

from transforms.errors import SettingError
from transforms.field_of_view import AddFieldOfViewd
from transforms.grids import NetworkLattice, PatchLattice, RegionOfInterestd, ToNetworkGridd
from transforms.grids.region import Region
from transforms.grids.resampling import Mode
from transforms.hu_windows import HUWindowsd
from transforms.place_in_image import AddPlaceInImaged
from transforms.slabs import check_slices

FIELD_KEY = "field_of_view"
"""Where the field of view stands until it is a channel of the image."""

PLACE_KEY = "place_in_image"
"""Where the place in the image stands until it is one."""

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
        place_margin_mm: Of a further channel that says where in its image a voxel lies
            (:class:`transforms.AddPlaceInImaged`); `None` for none; not for slabs.
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
    place_margin_mm: float | None = None
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

    @property
    def further_keys(self) -> list[str]:
        """The keys of what becomes a further channel, after those of the HU windows, in their order."""
        wanted = {FIELD_KEY: self.field_of_view, PLACE_KEY: self.place_margin_mm is not None}
        return [key for key, is_wanted in wanted.items() if is_wanted]

    def channels(self, slices: int | None = None) -> int:
        """How many channels a network is given.

        Args:
            slices: Of a slab; `None` for a volume.

        Raises:
            SettingError: When a slab is to have a channel that slabs have not, or no middle slice.
        """
        self.check_slab(slices)
        return (1 if self.windows is None else len(self.windows)) * (slices or 1) + len(self.further_keys)

    def check_slab(self, slices: int | None) -> None:
        """Makes sure that what is wanted of slabs can be had of them.

        Args:
            slices: Of a slab; `None` for a volume.

        Raises:
            SettingError: When a slab is to have a channel that slabs have not, or no middle slice.
        """
        if slices is None:
            return
        check_slices(slices)
        for key, where in ((FIELD_KEY, "field_of_view"), (PLACE_KEY, "place_margin_mm")):
            if key in self.further_keys:
                raise SettingError(
                    "slabs have no channel for the field of view, nor for the place in the image",
                    where=where,
                    found=getattr(self, where),
                    remedy="Leave the setting out, or take the 3D network",
                )

    def field_steps(self) -> list[Step]:
        """Puts further channels under keys of their own, to be deformed as the image is."""
        return [
            *([AddFieldOfViewd("image", FIELD_KEY)] if self.field_of_view else []),
            *([] if self.place_margin_mm is None else [AddPlaceInImaged("image", self.place_margin_mm, PLACE_KEY)]),
        ]

    def join_steps(self) -> list[Step]:
        """Makes them the last channels of the image."""
        if not self.further_keys:
            return []
        return [ConcatItemsd(["image", *self.further_keys], "image"), DeleteItemsd(self.further_keys)]

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
