"""Cases to be read, one at a time; a case that cannot be read is handed on as its failure."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from monai.data import Dataset
from monai.transforms import Compose

from pipeline.cohorts.failures import Failure, case_name
from pipeline.cohorts.fetched import FetchedSeries, SeriesFetcher
from pipeline.cohorts.input_stamp import input_stamp
from pipeline.cohorts.open_cases import KEPT
from pipeline.datasets.studies import Case
from transforms.errors import root_error


class CaseDataset(Dataset):
    """Reads and preprocesses whole cases.

    An item is the data dictionary after preprocessing, unbatched, with the seconds that it took under `seconds`; or,
    where reading or preprocessing failed, `{"case": name, "failure": Failure}`. A series of an archive is fetched into
    a temporary folder when its turn comes; the item then has a :class:`FetchedSeries` under `fetched`, to be removed
    when the case is done: DICOM results are made from the headers of its slices.

    Args:
        data: Cases, or dictionaries with a `case`, and a path or a DICOMweb address under `image`.
        transform: The preprocessing chain.
    """

    def __init__(self, data: Sequence[Case | Mapping[str, Any]], transform: Compose) -> None:
        super().__init__([case.data() if isinstance(case, Case) else dict(case) for case in data], transform)
        self._fetch = SeriesFetcher()

    def __getitem__(self, which: int | Mapping[str, Any]) -> dict[str, Any]:  # type: ignore[override]
        """A case, or its failure.

        Args:
            which: An index, or an item as :class:`pipeline.cohorts.OpenCases` hands them out: nothing is read of one
                that is done, or failed in another process.
        """
        item = dict(which) if isinstance(which, Mapping) else self.data[which]
        if KEPT in item:
            return item
        if "failed" in item:
            return {"case": item["case"], "failure": Failure(case=item["case"], error=item["failed"], seconds=0.0)}
        return self._read(item)

    def _read(self, item: dict[str, Any]) -> dict[str, Any]:
        begun = time.perf_counter()
        stamp = input_stamp(item)
        fetched: FetchedSeries | None = None
        try:
            fetched = self._fetch(item)
            read_from = time.perf_counter()
            read: dict[str, Any] = dict(self.transform(item if fetched is None else fetched.local(item)))
        except Exception as error:  # noqa: BLE001  # boundary: whatever is wrong with one study, the others are done
            if fetched is not None:
                fetched.remove()
                error = fetched.named_in_error(root_error(error))
            failure = Failure.of(case_name(item), error, seconds=time.perf_counter() - begun)
            return {"case": failure.case, "failure": failure}
        read.setdefault("case", case_name(item))
        read["input_stamp"] = stamp
        seconds = {"read": time.perf_counter() - read_from}
        if fetched is None:
            return read | {"seconds": seconds}
        return fetched.named_in_meta(read) | {"fetched": fetched, "seconds": {"fetch": read_from - begun, **seconds}}
