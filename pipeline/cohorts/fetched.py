"""Series of an archive in a temporary folder, for as long as their case takes."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

from monai.data import MetaTensor

from pipeline.datasets.case_names import safe_name
from pipeline.dicomweb.address import is_address, series_address
from transforms.errors import CTError


@dataclass(frozen=True, kw_only=True)
class FetchedSeries:
    """A series that was fetched.

    Attributes:
        address: Where from.
        folder: Where it is.
    """

    address: str
    folder: Path

    def local(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """A data list's item with the folder as its image."""
        return {**item, "image": str(self.folder)}

    def named_in_meta(self, case: dict[str, Any]) -> dict[str, Any]:
        """The case, its volumes with the address in their meta: the folder will be gone, and is not what was given."""
        for volume in case.values():
            if isinstance(volume, MetaTensor) and "filename_or_obj" in volume.meta:
                volume.meta["filename_or_obj"] = self.address
        return case

    def named_in_error(self, error: Exception) -> Exception:
        """The error with the address in the place of the folder."""
        if not isinstance(error, CTError) or str(self.folder) not in (error.where or ""):
            return error
        where = str(error.where).replace(str(self.folder), self.address)
        named = type(error)(error.finding, where=where, found=error.found, expected=error.expected, remedy=error.remedy)
        return named.with_traceback(error.__traceback__)

    def remove(self) -> None:
        """Removes the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


class SeriesFetcher:
    """Fetches the series of items whose image is an address.

    All folders lie in one temporary folder, which goes with the fetcher, and at the latest when Python ends.
    """

    def __init__(self) -> None:
        self._root: TemporaryDirectory[str] | None = None

    def __call__(self, item: Mapping[str, Any]) -> FetchedSeries | None:
        """Fetches the series of an item; `None` when its image is a path.

        Raises:
            CTError: As :func:`pipeline.dicomweb.fetch_series`; no folder is left then.
        """
        image = item.get("image")
        if not isinstance(image, str) or not is_address(image):
            return None
        from pipeline.dicomweb.fetch import fetch_series

        address = series_address(image)
        if self._root is None:
            self._root = TemporaryDirectory(prefix="ctvol-", ignore_cleanup_errors=True)
        folder = Path(mkdtemp(prefix=safe_name(str(item.get("case", "case"))) + "-", dir=self._root.name))
        fetched = FetchedSeries(address=str(address), folder=folder)
        try:
            fetch_series(address, folder)
        except BaseException:  # boundary: whatever ends it, nothing of the series stays on the disk
            fetched.remove()
            raise
        return fetched
