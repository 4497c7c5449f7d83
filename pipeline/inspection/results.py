"""What an inspection finds. Nothing of it is of the patient as a person."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

VerdictKind = Literal["read", "read-after", "refused"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether the reader takes a case."""

    kind: VerdictKind
    """`read-after`: only with more allowances than were given."""
    needs: tuple[str, ...] = ()
    """The allowances that are missing, the fewest that do."""
    error_kind: str | None = None
    """The kind of the reader's error."""
    error: str | None = None
    """What the reader says without the missing allowances, word for word."""
    still: str | None = None
    """What it says where all is allowed, if that is something else."""

    @property
    def sentence(self) -> str:
        """The verdict in one line."""
        if self.kind == "refused":
            return f"refused: {self.error}"
        return "will be read" + (f" after: {' '.join(f'--allow {kind}' for kind in self.needs)}" if self.needs else "")


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Two neighbouring slices at another distance than the others of their series."""

    start_mm: float
    """Place of the first along the normal, as in the patient's coordinates (LPS)."""
    end_mm: float
    width_mm: float


@dataclass(frozen=True, kw_only=True)
class Rescale:
    """How stored values become HU in some slices."""

    slope: float | None
    intercept: float | None
    slices: int


@dataclass(frozen=True, kw_only=True)
class TransferSyntax:
    """How pixels are encoded."""

    uid: str
    name: str
    readable: bool
    """Whether its decoder is installed."""


@dataclass(frozen=True, kw_only=True)
class SeriesInspection:
    """One CT series, or one of several stacks in it; `None` and empty where headers do not say."""

    name: str
    """What `--series-uid` takes."""
    taken: bool
    reason: str
    """Why it is taken, or not."""
    modality: str
    slices: int
    files: int
    rows: int
    columns: int
    pixel_spacing_mm: tuple[float, ...] | None
    """Between rows, and between columns."""
    thicknesses_mm: tuple[float, ...]
    spacing_mm: float | None
    """The usual distance of neighbouring slices."""
    extent_mm: float
    """From the first slice to the last, one slice included."""
    plane: str | None
    """`axial`, `sagittal` or `coronal`: the nearest."""
    oblique_degrees: float | None
    """The largest angle between an axis of the slices and one of the patient."""
    tilt_degrees: float | None
    """Gantry tilt, by the positions of the slices."""
    gaps: tuple[Gap, ...]
    """Where slices are missing or unevenly spaced."""
    duplicates: int
    """Slices that lie where another one does."""
    acquisitions: tuple[str, ...]
    temporal_positions: tuple[str, ...]
    transfer_syntaxes: tuple[TransferSyntax, ...]
    rescales: tuple[Rescale, ...]
    kernels: tuple[str, ...]
    kilovolts: tuple[float, ...]
    manufacturer: str
    model: str
    patient_position: str
    """Such as `HFS`: head first, supine."""
    contrast_agent: bool


@dataclass(frozen=True, kw_only=True)
class FileInspection:
    """The header of a volume file, as it is: the reader may refuse it."""

    shape: tuple[int, ...]
    spacing_mm: tuple[float, ...]
    """In the units of the file where those are given as others."""
    orientation: str
    """Where the axes point, such as `LAS`; empty where nothing says so."""
    stored_type: str
    units: str
    qform_code: int | None = None
    """NIfTI only, like all that follow."""
    sform_code: int | None = None
    slope: float | None = None
    intercept: float | None = None


@dataclass(frozen=True, kw_only=True)
class VolumeInspection:
    """The volume that reading gives."""

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    plane: str
    oblique_degrees: float


@dataclass(frozen=True, kw_only=True)
class ValueInspection:
    """The values that reading gives."""

    low: float
    high: float
    kind: str
    """`hu`, or what the values are else."""
    sentence: str


@dataclass(frozen=True, kw_only=True)
class CaseInspection:
    """What is there for one case, and what the reader makes of it."""

    case: str
    path: str
    format: str | None
    """`dicom`, `nifti`, `nrrd` or `metaimage`; `None` where the file is not even that."""
    verdict: Verdict
    volume: VolumeInspection | None = None
    """`None` where the case is refused."""
    repairs: tuple[str, ...] = ()
    """What the reader passes over, puts right or assumes, in its own words."""
    series: tuple[SeriesInspection, ...] = ()
    passed_over: tuple[tuple[str, int], ...] = ()
    """DICOM: what else is there, and how many of it."""
    file: FileInspection | None = None
    values: ValueInspection | None = None
    """`None` where values were not asked for, or could not be read."""


@dataclass(frozen=True, kw_only=True)
class StudyInspection:
    """All cases that were given."""

    cases: tuple[CaseInspection, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    """Folders that were searched, and what in them was not taken for a case."""

    @property
    def exit_status(self) -> int:
        """0 where all cases will be read, 2 where all are refused, else 1."""
        kinds = {case.verdict.kind for case in self.cases}
        return 0 if kinds == {"read"} else 2 if kinds <= {"refused"} else 1

    def as_json(self) -> dict[str, Any]:
        """The same in plain types; see docs/inputs.md."""
        return {"cases": [_case(case) for case in self.cases], "left_out": [list(pair) for pair in self.left_out]}


def _case(case: CaseInspection) -> dict[str, Any]:
    plain = asdict(case)
    plain["verdict"]["sentence"] = case.verdict.sentence
    plain["passed_over"] = dict(case.passed_over)
    return plain
