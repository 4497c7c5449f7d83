"""Files to HU volumes and label maps."""

from transforms.reading.allowances import ALLOWANCES
from transforms.reading.archive import open_source
from transforms.reading.labels import CheckSameGridd, LoadLabelMapd, check_same_grid, read_label_map
from transforms.reading.load import LoadCTd, read_ct
from transforms.reading.volume import Volume

__all__ = [
    "ALLOWANCES",
    "CheckSameGridd",
    "LoadCTd",
    "LoadLabelMapd",
    "Volume",
    "check_same_grid",
    "open_source",
    "read_ct",
    "read_label_map",
]
