"""A series from an archive to a folder, an instance at a time."""

from __future__ import annotations

import logging
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from pipeline.dicomweb.address import SeriesAddress
from pipeline.dicomweb.connection import connect, speaking_to
from pipeline.dicomweb.query import find_series, instance_count
from transforms.errors import ArchiveError, OutputError, SeriesError

if TYPE_CHECKING:
    from dicomweb_client.api import DICOMwebClient
    from pydicom import Dataset

logger = logging.getLogger(__name__)

AS_STORED = (("application/dicom", "*"),)
"""Whatever the archive keeps: it need not decode, and no pixel changes."""


def fetch_series(address: SeriesAddress, folder: Path) -> int:
    """Fetches a series, as it is stored; no more than a few instances are in memory at a time.

    Args:
        address: The series; or a study, when it holds one CT series.
        folder: Where the files go, an instance a file, named by numbers.

    Returns:
        How many instances there are.

    Raises:
        ArchiveError: When the archive cannot be asked, or does not give the whole series.
        NotFoundError: When it does not have it.
        SeriesError: When a study holds several CT series, or none.
        OutputError: When the folder cannot be written, as with a full disk.
    """
    begun = time.perf_counter()
    address = address if address.series_uid else _only_series(address)
    client = connect(address.service)
    expected = instance_count(client, address)
    count = _fetch(client, address, folder, expected)
    if count == 0 or (expected is not None and count != expected):
        raise ArchiveError(
            "the archive did not give the whole series",
            where=str(address),
            found=f"{count} instances",
            expected="some" if expected is None else expected,
            remedy="Try again, or see the archive's log",
        )
    logger.info("%s: fetched %d instances in %.1f s", address, count, time.perf_counter() - begun)
    return count


def _only_series(address: SeriesAddress) -> SeriesAddress:
    found = find_series(address)
    if len(found.series) != 1:
        raise SeriesError(
            "the study does not hold one CT series", where=str(address), found=f"{len(found.series)} of them",
            remedy="Name the series in the address",
        )  # fmt: skip
    return found.series[0]


def _fetch(client: DICOMwebClient, address: SeriesAddress, folder: Path, expected: int | None) -> int:
    count = 0
    # pydicom's warnings quote values of the header; dicomweb-client's, a server that breaks rules which it can do with.
    with (
        warnings.catch_warnings(action="ignore"),
        speaking_to(address),
        tqdm(total=expected, desc="fetch", unit="file", disable=None, leave=False) as bar,
    ):
        for dataset in client.iter_series(address.study_uid, str(address.series_uid), media_types=AS_STORED):
            _check(dataset, address)
            if count == expected:
                raise ArchiveError("the archive gives more than it has", where=str(address), expected=expected)
            # A name of ours: one that a server gave could lead out of the folder.
            _save(dataset, folder / f"{count:06d}.dcm")
            count += 1
            bar.update()
    return count


def _check(dataset: Dataset, address: SeriesAddress) -> None:
    """Looks whether an instance is whole, and of the series that was asked for.

    pydicom passes over the end of what is cut short, and an answer without a length may be.
    """
    uid = dataset.get("SeriesInstanceUID")
    if uid is None or ("Rows" in dataset and "PixelData" not in dataset):
        raise ArchiveError("the archive gave an instance that is cut short", where=str(address), remedy="Try again")
    if str(uid) != address.series_uid:
        raise ArchiveError("the archive gave an instance of another series", where=str(address))


def _save(dataset: Dataset, path: Path) -> None:
    try:
        dataset.save_as(path, enforce_file_format=True)
    except OSError as error:
        raise OutputError(
            "the fetched series cannot be kept", where=path, found=error.strerror,
            remedy="Free some space there, or set TMPDIR to another folder",
        ) from error  # fmt: skip
