"""Studies to cases, data sets to lists of items."""

from pipeline.datasets.datalist import load_datalist
from pipeline.datasets.folds import load_fold
from pipeline.datasets.studies import Case, find_cases

__all__ = ["Case", "find_cases", "load_datalist", "load_fold"]
