"""Addresses of studies and series in DICOMweb archives."""

from __future__ import annotations

import re
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from transforms.errors import SettingError

_UID = r"[0-9]+(?:\.[0-9]+)*"
_RESOURCE = re.compile(rf"(?P<prefix>.*)/studies/(?P<study>{_UID})(?:/series/(?P<series>{_UID}))?")
_LONGEST_UID = 64
_EXPECTED = "https://HOST/dicom-web/studies/UID or https://HOST/dicom-web/studies/UID/series/UID"


@dataclass(frozen=True, kw_only=True)
class SeriesAddress:
    """Where a series is: the archive, the study, and the series where it is known."""

    service: str
    """The base address of the DICOMweb service, without a slash at the end."""
    study_uid: str
    series_uid: str | None = None
    """`None` stands for the only CT series of the study."""

    def __str__(self) -> str:
        study = f"{self.service}/studies/{self.study_uid}"
        return study if self.series_uid is None else f"{study}/series/{self.series_uid}"

    def as_path(self) -> Path:
        """A path that stands for the address where cases are told apart and named; there is nothing at it."""
        split = urlsplit(self.service)
        return Path("/", split.scheme, split.netloc, *split.path.split("/"), self.study_uid, self.series_uid or "")


def is_address(study: str | PathLike[str]) -> bool:
    """Whether a study is given as an address, and not as a path.

    Example:
        >>> is_address("https://pacs.example/dicom-web/studies/1.2.3"), is_address("scans/1.2.3")
        (True, False)
    """
    return fspath(study).lower().startswith(("http://", "https://"))


def series_address(url: str) -> SeriesAddress:
    """The parts of the address of a study or a series.

    Args:
        url: Such as `https://pacs.example/dicom-web/studies/1.2/series/1.2.3`.

    Raises:
        SettingError: When it is no such address, or carries a password.

    Example:
        >>> series_address("https://pacs.example/dicom-web/studies/1.2/series/1.2.3").series_uid
        '1.2.3'
    """
    split = _checked(url)
    match = _RESOURCE.fullmatch(split.path.rstrip("/"))
    if match is None or max(len(uid or "") for uid in match.group("study", "series")) > _LONGEST_UID:
        raise _wrong(split, "the address names neither a study nor a series", _EXPECTED)
    service = _shown(split._replace(path=match["prefix"]))
    return SeriesAddress(service=service, study_uid=match["study"], series_uid=match["series"])


def service_address(url: str) -> str:
    """The base address of a DICOMweb service, without a slash at the end.

    Raises:
        SettingError: When it is no such address, or carries a password.

    Example:
        >>> service_address("https://pacs.example/dicom-web/")
        'https://pacs.example/dicom-web'
    """
    split = _checked(url)
    path = split.path.rstrip("/").removesuffix("/studies")
    if "/studies/" in path:
        raise _wrong(split, "the address names a study, not the archive", "https://HOST/dicom-web")
    return _shown(split._replace(path=path))


def _checked(url: str) -> SplitResult:
    try:
        split = urlsplit(url)
        _ = split.port  # is read, and checked, only when it is asked for
    except ValueError as error:
        # The text is not shown: what is wrong with it may be what stands around a password.
        raise SettingError("the address of the archive cannot be read", expected=_EXPECTED) from error
    if split.scheme.lower() not in ("http", "https") or not split.hostname:
        raise _wrong(split, "this is no address of a DICOMweb archive", _EXPECTED)
    if "@" in split.netloc:
        raise SettingError(
            "the address carries a user name or a password, which others can read in lists of processes and in logs",
            where=_shown(split),
            remedy="Leave it out, and set CTVOL_DICOMWEB_USER and CTVOL_DICOMWEB_PASSWORD in the environment",
        )
    if split.query or split.fragment:
        raise _wrong(split, "the address goes on after its path, with ? or #", _EXPECTED)
    return split


def _wrong(split: SplitResult, finding: str, expected: str) -> SettingError:
    return SettingError(finding, where=_shown(split), expected=expected, remedy="Check the address")


def _shown(split: SplitResult) -> str:
    """The address without what must not be shown: user, password, query."""
    host = split.netloc.rpartition("@")[2]
    return split._replace(netloc=host, path=split.path.rstrip("/"), query="", fragment="").geturl()
