"""The one family of errors that a user's input can cause.

A message says what is wrong, where (file, tag), what was found, what was expected and what to do about it. Command
lines turn any :class:`CTError` into one line on stderr and an exit status; nothing else is shown for them.
"""

from __future__ import annotations

from os import PathLike, fspath


class CTError(Exception):
    """Something is wrong with what the user gave.

    Args:
        finding: What is wrong, as a clause without a full stop ("the slices are not evenly spaced").
        where: The file, folder or configuration key that it was found in. Only names that the user gave: never a
            value read from a patient's header.
        found: What was there.
        expected: What would have been right.
        remedy: What the user can do, as a sentence without a full stop.

    Example:
        >>> print(GeometryError("the slices are not evenly spaced", where="ct/", found="gaps of 1.0 and 3.0 mm",
        ...                     remedy="Transfer the missing slices"))
        ct: the slices are not evenly spaced (found gaps of 1.0 and 3.0 mm). Transfer the missing slices.
    """

    def __init__(
        self,
        finding: str,
        *,
        where: str | PathLike[str] | None = None,
        found: object = None,
        expected: object = None,
        remedy: str | None = None,
    ) -> None:
        self.finding = finding
        self.where = None if where is None else fspath(where).rstrip("/") or "/"
        self.found = found
        self.expected = expected
        self.remedy = remedy
        super().__init__(self._message())

    def _message(self) -> str:
        prefix = f"{self.where}: " if self.where else ""
        details = [
            f"{word} {value}"
            for word, value in (("found", self.found), ("expected", self.expected))
            if value is not None
        ]
        middle = f" ({'; '.join(details)})" if details else ""
        end = f" {self.remedy}." if self.remedy else ""
        return f"{prefix}{self.finding}{middle}.{end}"

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders (data loader workers, cohorts): keep the parts, not only the text.
        return (_rebuild, (type(self), self.finding, self.where, self.found, self.expected, self.remedy))


def _rebuild(
    kind: type[CTError], finding: str, where: str | None, found: object, expected: object, remedy: str | None
) -> CTError:
    return kind(finding, where=where, found=found, expected=expected, remedy=remedy)


def root_error(error: Exception) -> Exception:
    """The user's error that an exception was raised from (MONAI wraps what its transforms raise), or itself."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, CTError):
            return cause
        cause = cause.__cause__
    return error


class NotFoundError(CTError):
    """A path does not exist, or nothing in it can be used."""


class UnreadableError(CTError):
    """A file is corrupt, truncated, or not what its name says."""


class SeriesError(CTError):
    """A folder holds no CT series, or several and no rule to choose between them."""


class GeometryError(CTError):
    """The place of the voxels in the patient cannot be trusted."""


class IntensityError(CTError):
    """The voxel values are not Hounsfield units, or cannot be."""


class LabelError(CTError):
    """A label map holds values that it must not hold, or does not fit its image."""


class DataListError(CTError):
    """A data set's list of cases is wrong: a missing file, a bad entry, an unknown split."""


class SettingError(CTError):
    """A configuration value or option cannot work: a patch size the network cannot take, an unknown window name."""


class MissingExtraError(CTError):
    """An optional package is needed for this input and is not installed."""


class OutputError(CTError):
    """A result cannot be written: disk full, folder not writable."""


class ArchiveError(CTError):
    """A DICOM archive cannot be reached, refuses, or gives what cannot be used."""


NOTHING_DONE = (NotFoundError, SettingError, DataListError)
"""Errors that say that the command or its data list was wrong, before any case was touched."""


def exit_status(error: BaseException) -> int:
    """The status that a command ends with: 2 when it was wrong or had nothing to do, else 1."""
    return 2 if isinstance(error, NOTHING_DONE) else 1
