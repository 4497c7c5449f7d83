"""Which cases are of one patient: they are drawn together, for they are no independent cases."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from os import PathLike

from transforms.errors import DataListError, SettingError, UnreadableError

BIDS = r"^sub-[A-Za-z0-9]+"
"""Names of the Brain Imaging Data Structure begin with the patient: `sub-01_ses-2_ct`."""


def read_patients(path: str | PathLike[str]) -> dict[str, str]:
    """Case name to patient, from a CSV with the columns `case` and `patient`.

    Raises:
        UnreadableError: When it is no such CSV.
        DataListError: When a case stands in it with two patients.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            columns = rows.fieldnames or []
            if "case" not in columns or "patient" not in columns:
                raise UnreadableError(
                    "the list of patients lacks a column", where=path, found=", ".join(columns) or "nothing",
                    expected="case,patient",
                )  # fmt: skip
            patients: dict[str, str] = {}
            for row in rows:
                case, patient = (row["case"] or "").strip(), (row["patient"] or "").strip()
                if patients.setdefault(case, patient) != patient:
                    raise DataListError("a case has two patients", where=path, found=case)
    except (OSError, ValueError, csv.Error) as error:
        raise UnreadableError("the list of patients cannot be read", where=path, found=str(error)) from error
    return patients


def patient_of(case: str, *, listed: Mapping[str, str] | None = None, pattern: str | None = None) -> str:
    """The patient of a case: from a list, else from the name, else the case is a patient of its own.

    Args:
        case: The case's name.
        listed: Case name to patient.
        pattern: A regular expression that is looked for in the name; its first group, or all of it, is the patient.

    Raises:
        SettingError: When the pattern is none.

    Example:
        >>> patient_of("P07_followup", pattern=r"^(P[0-9]+)_"), patient_of("sub-3_ses-1"), patient_of("ct")
        ('P07', 'sub-3', 'ct')
    """
    if listed and listed.get(case):
        return listed[case]
    try:
        found = re.search(pattern or BIDS, case)
    except re.error as error:
        raise SettingError("the pattern of patients is no regular expression", found=f"{pattern}: {error}") from error
    if found is None:
        return case
    return next((group for group in found.groups() if group), found.group())
