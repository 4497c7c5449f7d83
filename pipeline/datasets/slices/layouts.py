"""In which layout a data set of labelled slices is, and its entries."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.datasets.slices.covidx import covidx_lists, read_covidx
from pipeline.datasets.slices.entries import SliceEntry, read_covid_ct, read_slice_json, read_slice_table
from transforms.errors import DataListError


def read_slice_entries(dataset_dir: Path, classes: Mapping[str, int]) -> list[SliceEntry]:
    """The entries of a CSV, of a folder with `dataset.csv` or `dataset.json`, or in the layout of COVID-CT or COVIDx.

    Raises:
        DataListError: When it is none of these, or malformed.
    """
    if dataset_dir.is_file() and dataset_dir.suffix.lower() == ".csv":
        return read_slice_table(dataset_dir)
    if (dataset_dir / "dataset.csv").is_file():
        return read_slice_table(dataset_dir / "dataset.csv")
    if (dataset_dir / "dataset.json").is_file():
        return read_slice_json(dataset_dir / "dataset.json")
    if (dataset_dir / "Data-split").is_dir():
        return read_covid_ct(dataset_dir, classes)
    if lists := covidx_lists(dataset_dir):
        return read_covidx(dataset_dir, lists)
    raise DataListError(
        "this is no data set of slices",
        where=dataset_dir,
        found="a file" if dataset_dir.is_file() else "no such folder" if not dataset_dir.is_dir() else None,
        expected="a CSV with columns path and label, a folder with dataset.csv or dataset.json, or the layout of "
        "COVID-CT (Data-split/CLASS/*.txt and CT_CLASS/) or of COVIDx (train*.txt, test*.txt)",
        remedy="Write the list, or give the folder that holds it",
    )
