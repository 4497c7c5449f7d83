"""What reading gives: voxels, where they are, and where they came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:  # seconds, which looking at headers must not spend
    import torch
    from monai.data import MetaTensor

Format = Literal["nifti", "nrrd", "metaimage", "dicom", "npy", "pictures"]
Voxels = npt.NDArray[np.int16] | npt.NDArray[np.float32]
Affine = npt.NDArray[np.float64]


class FileVolume(NamedTuple):
    """Voxels `(X, Y, Z)` of one volume file, their affine (RAS+, millimetres), and what was put right."""

    array: Voxels
    affine: Affine
    repairs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Volume:
    """One volume as it was read, on the native grid."""

    array: Voxels
    """`(X, Y, Z)`, `int16` or `float32`; axial slices lie one after the other in memory (Fortran order)."""
    affine: Affine
    """`(4, 4)`, from voxel indices to RAS+ millimetres."""
    format: Format
    """The kind of file it came from."""
    path: str
    """The path that the user gave."""
    repairs: tuple[str, ...] = ()
    """What the reader put right, as short sentences."""
    series_uid: str | None = None
    """DICOM only, like all that follow; `None` where the header leaves it out."""
    study_uid: str | None = None
    """Of the DICOM study."""
    frame_of_reference_uid: str | None = None
    """Of the patient's coordinates."""
    source_files: tuple[str, ...] = ()
    """The slices' files in volume order; `ARCHIVE.zip/MEMBER` for a zip."""
    source_frames: tuple[int, ...] = ()
    """Each slice's frame in its file, from 1; 0 where the file holds one slice."""
    resampled: tuple[str, ...] = ()
    """`tilt`, `uneven`: why voxels do not lie where slices do; empty where they do."""

    def to_metatensor(self, dtype: torch.dtype | None = None) -> MetaTensor:
        """The volume as a MetaTensor `(1, X, Y, Z)` with MONAI's meta; shares memory unless `dtype` differs."""
        import torch
        from monai.data import MetaTensor

        tensor = torch.from_numpy(self.array)[None]
        return MetaTensor(
            tensor.to(dtype or tensor.dtype), affine=torch.from_numpy(self.affine.copy()), meta=self.meta()
        )

    def meta(self) -> dict[str, Any]:
        """MONAI's meta keys and the project's own (docs/design.md); keys of DICOM only where there is a value."""
        from monai.utils import MetaKeys, SpaceKeys

        meta: dict[str, Any] = {
            MetaKeys.ORIGINAL_AFFINE.value: self.affine.copy(),
            MetaKeys.SPATIAL_SHAPE.value: np.asarray(self.array.shape),
            MetaKeys.SPACE.value: SpaceKeys.RAS,
            MetaKeys.ORIGINAL_CHANNEL_DIM.value: float("nan"),  # MONAI's "there was none"
            "filename_or_obj": self.path,
            "format": self.format,
            "repairs": list(self.repairs),
        }
        dicom_only = {
            "series_uid": self.series_uid,
            "study_uid": self.study_uid,
            "frame_of_reference_uid": self.frame_of_reference_uid,
            "source_files": list(self.source_files) or None,
            "source_frames": list(self.source_frames) if any(self.source_frames) else None,
            "resampled": list(self.resampled) or None,
        }
        return meta | {key: value for key, value in dicom_only.items() if value is not None}
