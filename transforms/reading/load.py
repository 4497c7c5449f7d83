"""CT volumes from whatever file or folder holds them.

Imports neither torch nor MONAI: the command line looks at studies before they are there.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path

from transforms.errors import UnreadableError
from transforms.file_kinds import VolumeFormat
from transforms.reading.allowances import check_allowances
from transforms.reading.dicom import read_dicom
from transforms.reading.hounsfield import in_hounsfield
from transforms.reading.itk_files import read_itk
from transforms.reading.nifti import read_nifti
from transforms.reading.sources import check_source, dicom_files
from transforms.reading.volume import FileVolume, Volume

logger = logging.getLogger(__name__)


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
    volume = in_hounsfield(volume, allowed)
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


def _read_dicom(path: Path, given: str, series_uid: str | None, allow: frozenset[str], smallest: bool) -> Volume:
    with dicom_files(path, given, series_uid) as files:
        return read_dicom(files, given, series_uid=series_uid, allow=allow, smallest=smallest)
