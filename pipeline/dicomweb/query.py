"""Which series of a study are CT."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.dicomweb.address import SeriesAddress
from pipeline.dicomweb.connection import connect, speaking_to
from transforms.errors import ArchiveError, NotFoundError

if TYPE_CHECKING:
    from dicomweb_client.api import DICOMwebClient

_SERIES_UID, _MODALITY, _SOP_UID, _INSTANCES = "0020000E", "00080060", "00080018", "00201209"
_KIND = ("00080016", "00080060", "00080008", "00280002")
"""SOPClassUID, Modality, ImageType, SamplesPerPixel: what tells a slice from a localizer or a report."""
_LOOKED_AT = 3
"""Instances of a series that are looked at."""


class FoundSeries(NamedTuple):
    """What a study holds."""

    series: list[SeriesAddress]
    left_out: list[str]
    """For each series that is not taken, why: a few words."""


def find_series(address: SeriesAddress) -> FoundSeries:
    """The CT series of a study; localizers, screenshots and other modalities are left out.

    Raises:
        ArchiveError: When the archive cannot be asked.
        NotFoundError: When it has no such study.
    """
    client = connect(address.service)
    with speaking_to(address):
        answer = client.search_for_series(address.study_uid, fields=["Modality"], get_remaining=False)
        found = {str(_value(one, _SERIES_UID)): _value(one, _MODALITY) for one in answer}
    if not found:
        raise NotFoundError("the archive has no such study", where=str(address), remedy="Check the UID")
    series, left_out = [], []
    for uid, modality in found.items():
        one = replace(address, series_uid=uid)
        reason = None if modality in (None, "CT") else "series of other modalities"
        reason = reason or _why_not_slices(client, one)
        if reason is None:
            series.append(one)
        else:
            left_out.append(reason)
    return FoundSeries(series, left_out)


def instance_count(client: DICOMwebClient, address: SeriesAddress) -> int | None:
    """How many instances an archive has of a series; `None` where it does not say.

    Raises:
        NotFoundError: When it has no such series.
    """
    with speaking_to(address):
        answer = client.search_for_series(
            address.study_uid,
            fields=["NumberOfSeriesRelatedInstances"],
            search_filters={"SeriesInstanceUID": address.series_uid},
        )
        # Not every archive heeds the filter.
        mine = [one for one in answer if _value(one, _SERIES_UID) == address.series_uid]
        count = _value(mine[0], _INSTANCES) if mine else None
        if mine:
            return None if count is None else int(count)
    raise NotFoundError("the archive has no such series", where=str(address), remedy="Check the UIDs")


def _why_not_slices(client: DICOMwebClient, address: SeriesAddress) -> str | None:
    """Why none of a series' first instances is a CT slice; `None` when one is, or when it cannot be found out."""
    from pydicom import Dataset

    from transforms.dicom_headers import why_not_a_slice

    reason: str | None = None
    try:
        with speaking_to(address):
            uids = (address.study_uid, str(address.series_uid))
            for instance in client.search_for_instances(*uids, limit=_LOOKED_AT)[:_LOOKED_AT]:
                header = client.retrieve_instance_metadata(*uids, str(_value(instance, _SOP_UID)))
                kind = Dataset.from_json({tag: header[tag] for tag in _KIND if tag in header})
                reason = why_not_a_slice(kind)
                if reason is None:
                    return None
    except (ArchiveError, NotFoundError):
        return None  # a case that fails by itself, with its own message, beside the others
    return None if reason is None else f"series: {reason}"


def _value(dataset: dict[str, Any], tag: str) -> Any:
    """The first value of an element of DICOM JSON; `None` where there is none."""
    values = dataset.get(tag, {}).get("Value") or [None]
    return values[0]
