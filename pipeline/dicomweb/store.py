"""Results to an archive."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

from pipeline.dicomweb.address import service_address
from pipeline.dicomweb.connection import connect, speaking_to
from transforms.errors import ArchiveError

logger = logging.getLogger(__name__)


def send_files(service: str, files: Sequence[Path]) -> None:
    """Stores DICOM files in an archive (STOW-RS), all in one message; it must say of each that it has it.

    Args:
        service: The base address of its DICOMweb service.
        files: DICOM files, of one study.

    Raises:
        ArchiveError: When the archive cannot be reached, refuses, or does not say that it stored them all.
        NotFoundError: When there is no DICOMweb service at the address.
        SettingError: When it is no address, or carries a password.
    """
    from pydicom import dcmread

    address = service_address(service)
    client = connect(address)
    datasets = [dcmread(file) for file in files]
    # The client warns with what the server says, in words that may be the header's.
    with warnings.catch_warnings(action="ignore"), speaking_to(address):
        answer = client.store_instances(datasets)
        stored = {str(item.ReferencedSOPInstanceUID) for item in answer.get("ReferencedSOPSequence") or ()}
        failed = [f"{int(item.FailureReason):04X}" for item in answer.get("FailedSOPSequence") or ()]
    missing = [file.name for file, dataset in zip(files, datasets, strict=True) if dataset.SOPInstanceUID not in stored]
    if missing:
        raise ArchiveError(
            f"the archive does not say that it stored {', '.join(missing)}",
            where=address,
            found=f"failure reason {', '.join(failed)} (PS3.18 table I.2-2)" if failed else None,
            remedy="See the archive's log",
        )
    logger.info("%s: stored %s", address, ", ".join(file.name for file in files))
