"""Cases to be read, one at a time; a case that cannot be read is handed on as its failure."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from monai.data import Dataset
from monai.transforms import Compose

from pipeline.cohorts.failures import Failure, case_name
from pipeline.datasets.studies import Case
from transforms.errors import root_error


class CaseDataset(Dataset):
    """Reads and preprocesses whole cases.

    An item is the data dictionary after preprocessing, unbatched, with the seconds that it took under `seconds`; or,
    where reading or preprocessing failed, `{"case": name, "failure": Failure}`.

    Args:
        data: Cases, or dictionaries with a `case` and a path under `image`.
        transform: The preprocessing chain.
    """

    def __init__(self, data: Sequence[Case | Mapping[str, Any]], transform: Compose) -> None:
        super().__init__([case.data() if isinstance(case, Case) else dict(case) for case in data], transform)

    def __getitem__(self, index: int) -> dict[str, Any]:  # type: ignore[override]
        """The case of an index, or its failure."""
        item = self.data[index]
        begun = time.perf_counter()
        try:
            read: dict[str, Any] = dict(self.transform(item))
        except Exception as error:  # noqa: BLE001  # boundary: whatever is wrong with one study, the others are done
            seconds = time.perf_counter() - begun
            return {
                "case": case_name(item),
                "failure": Failure(case=case_name(item), error=root_error(error), seconds=seconds),
            }
        read.setdefault("case", case_name(item))
        return read | {"seconds": {"read": time.perf_counter() - begun}}
