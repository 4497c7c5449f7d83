"""The reader as a MONAI transform."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

from transforms.errors import SettingError
from transforms.reading.allowances import check_allowances
from transforms.reading.load import read_ct


class LoadCTd(MapTransform):
    """Loads a CT volume in HU in place of its path.

    The volume is a MetaTensor `(1, X, Y, Z)` in the file's own index order, its affine RAS+ in millimetres (float64),
    as MONAI's loader has it; its meta is listed in docs/design.md. Nothing of it is contiguous in C order: axial slices
    lie one after the other in memory.

    Args:
        keys: Keys of paths: `.nii`, `.nii.gz`, `.nrrd`, `.mha`, `.mhd`, a DICOM folder or file, a zip of a folder.
        dtype: A floating-point type; `None` is `int16` where all HU are integers that fit, else `float32`.
        series_uid: The DICOM series to read where there are several; the item's own `series_uid` comes first. Other
            formats know no series and leave it unread.
        allow: What the reader would otherwise refuse, see :data:`ALLOWANCES`.
        allow_missing_keys: Leave out keys that an item does not have.

    Raises:
        SettingError: For a type or an allowance that cannot be.
        CTError: One of the family for every input that cannot be read or trusted; see :func:`read_ct`.
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        dtype: torch.dtype | None = torch.float32,
        series_uid: str | None = None,
        allow: Sequence[str] = (),
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if dtype is not None and not dtype.is_floating_point:
            raise SettingError("`dtype` of LoadCTd must be a floating-point type or None", found=dtype)
        self.dtype = dtype
        self.series_uid = series_uid
        self.allow = sorted(check_allowances(allow))

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Returns the dictionary with volumes in place of paths."""
        loaded = dict(data)
        series_uid = data.get("series_uid") or self.series_uid
        for key in self.key_iterator(loaded):
            volume = read_ct(data[key], series_uid=series_uid, allow=self.allow, smallest=self.dtype is None)
            loaded[key] = volume.to_metatensor(self.dtype)
        return loaded
