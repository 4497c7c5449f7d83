"""CT volumes from whatever file or folder holds them."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

from transforms.dicom_headers import DicomFile
from transforms.errors import NotFoundError, SeriesError, SettingError, UnreadableError
from transforms.file_kinds import VOLUME_SUFFIXES, VolumeFormat, is_dicom, is_zip, volume_format
from transforms.reading.allowances import check_allowances
from transforms.reading.archive import unpacked
from transforms.reading.dicom import files_of_folder, read_dicom
from transforms.reading.itk_files import read_itk
from transforms.reading.nifti import read_nifti
from transforms.reading.volume import FileVolume, Volume
from transforms.reading.voxels import check_hounsfield

logger = logging.getLogger(__name__)


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


def read_ct(
    path: str | PathLike[str], *, series_uid: str | None = None, allow: Sequence[str] = (), smallest: bool = True
) -> Volume:
    """Reads a CT volume in HU.

    Args:
        path: A volume file, a DICOM folder or file, or a zip of a DICOM folder. A folder without DICOM files of its own
            stands for all folders below it.
        series_uid: The DICOM series to read where there are several.
        allow: What the reader would otherwise refuse, see :data:`ALLOWANCES`.
        smallest: Take `int16` where all HU are integers that fit, else `float32`.

    Raises:
        NotFoundError: When the path does not exist or is an empty folder.
        UnreadableError: When a file is empty, corrupt, or of no known kind.
        SeriesError: When a folder holds no CT, or not the series asked for.
        GeometryError: When the place of the voxels in the patient cannot be trusted.
        IntensityError: When the values cannot be HU.
        MissingExtraError: When the pixels need a decoder that is not installed.
        SettingError: For an allowance that there is not.
    """
    allowed = check_allowances(allow)
    given, source = fspath(path), Path(path)
    kind = check_source(source)
    if kind is None:
        volume = _read_dicom(source, given, series_uid, allowed, smallest)
    else:
        array, affine, repairs = read_volume_file(source, kind, smallest=smallest)
        volume = Volume(array=array, affine=affine, format=kind, path=given, repairs=repairs)
    check_hounsfield(volume.array, given, allowed)
    for repair in volume.repairs:
        logger.info("%s: %s", given, repair)
    return volume


def read_volume_file(path: Path, kind: VolumeFormat, *, smallest: bool) -> FileVolume:
    """Reads a NIfTI, NRRD or MetaImage file, whatever its values mean."""
    try:
        return (read_nifti if kind == "nifti" else read_itk)(path, smallest=smallest)
    except MemoryError as error:
        raise UnreadableError(
            "the volume does not fit into memory", where=path, remedy="Crop it, or use a machine with more memory"
        ) from error


def check_source(path: Path) -> VolumeFormat | None:
    """The format of a volume file, `None` for DICOM.

    Raises:
        NotFoundError: When the path does not exist or is an empty folder.
        UnreadableError: When it is an empty file, or may not be read.
    """
    try:
        if not path.exists():
            raise NotFoundError("there is no such file or folder", where=path, remedy="Check the path")
        if path.is_dir():
            if not any(path.iterdir()):
                raise NotFoundError("the folder is empty", where=path, remedy="Give the folder that holds the slices")
            return None
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise UnreadableError(
            "the path cannot be opened", where=path, found=error.strerror, remedy="Check the name and the permissions"
        ) from error
    if empty:
        raise UnreadableError("the file is empty", where=path, found="0 bytes", remedy="Copy or convert the file again")
    return volume_format(path)


def _read_dicom(path: Path, given: str, series_uid: str | None, allow: frozenset[str], smallest: bool) -> Volume:
    if path.is_dir():
        files = files_of_folder(path)
        if not any(is_dicom(file.path) for file in files) and any(volume_format(file.path) for file in files):
            raise SeriesError(
                "the folder holds no DICOM, but volume files", where=given, remedy="Give one of the files"
            )
        return read_dicom(files, given, series_uid=series_uid, allow=allow, smallest=smallest)
    if is_zip(path):
        with unpacked(path) as members:
            return read_dicom(members, given, series_uid=series_uid, allow=allow, smallest=smallest)
    if not is_dicom(path):
        raise UnreadableError(
            "the file is of no known kind",
            where=given,
            found=f"a name ending in {path.suffix!r} and no DICOM header",
            expected=", ".join(VOLUME_SUFFIXES) + ", DICOM or .zip",
            remedy="Convert it to one of these",
        )
    return read_dicom([DicomFile(path, given)], given, series_uid=series_uid, allow=allow, smallest=smallest)
