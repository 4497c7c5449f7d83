"""Searching folders for what can be a study."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path

from transforms.errors import UnreadableError
from transforms.file_kinds import is_dicom, is_hidden, is_zip, stem, volume_format

MASK_WORDS = frozenset({
    "mask", "masks", "label", "labels", "labelmap", "labelmaps", "seg", "segs", "segmentation", "segmentations",
    "annotation", "annotations", "gt", "groundtruth", "roi", "rois", "contour", "contours",
})  # fmt: skip
"""Words in the name of a file, or of the folder it lies in, that make it a mask."""

RESULT_FILES = frozenset({"labels.nii.gz", "lungs.nii.gz", "probabilities.nii.gz"})
"""Volumes that ctvol writes."""

RESULT_MARK = "provenance.json"
"""A folder with this file is a case that ctvol wrote: nothing in it is a study."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_HEADER = ("SOPClassUID", "Modality", "ImageType", "Rows", "Columns", "SamplesPerPixel", "SeriesInstanceUID")


def is_mask_name(name: str) -> bool:
    """Whether a name has a word for a mask in it: `CT_mask`, `labelsTr`, `liverSeg`; not `segment` or `unlabelled`."""
    words = {word.lower() for word in _WORD.findall(name)}
    return not words.isdisjoint(MASK_WORDS) or {"ground", "truth"} <= words


class FolderSearch:
    """Searches folders, and remembers what it left out and why.

    Args:
        series_uid: Only DICOM folders that hold this series are taken, and no other volume files. Of `UID:PART`, which
            names one of several stacks in a series, the series counts.
    """

    def __init__(self, series_uid: str | None = None) -> None:
        self.series_uid = None if series_uid is None else series_uid.partition(":")[0]
        self._left_out: dict[Path, Counter[str]] = defaultdict(Counter)
        self._seen: set[Path] = set()
        self.dicom_folders: dict[Path, Path] = {}
        """Those that were found, and for each the folder that was searched."""

    def studies_in(self, folder: Path) -> list[Path]:
        """The studies in a folder and all below it, in the order of their names.

        Raises:
            UnreadableError: When a folder may not be read.
        """
        self._seen = set()
        return self._search(folder, folder)

    def leave_out(self, root: Path, what: str) -> bool:
        """Remembers one thing that was left out under a folder; `False`, the answer to whether it is a study."""
        self._left_out[root][what] += 1
        return False

    def left_out(self) -> list[tuple[Path, str]]:
        """For each folder that was searched, what was left out, as text."""
        return [
            (folder, ", ".join(f"{count} {what}" for what, count in sorted(counts.items())) + " left out")
            for folder, counts in self._left_out.items()
        ]

    def _search(self, folder: Path, root: Path) -> list[Path]:
        resolved = folder.resolve()  # links to folders are followed, round trips are not
        if resolved in self._seen or (folder / RESULT_MARK).is_file():
            return []
        self._seen.add(resolved)
        try:
            entries = sorted(entry for entry in folder.iterdir() if not is_hidden(entry))
        except OSError as error:
            raise UnreadableError("the folder cannot be read", where=folder, remedy="Check the permissions") from error
        files = [entry for entry in entries if entry.is_file()]
        found = [folder] if self._is_dicom_study(files, root) else []
        self.dicom_folders.update(dict.fromkeys(found, root))
        found += [file for file in files if self._is_study(file, root)]
        return found + [study for entry in entries if entry.is_dir() for study in self._search(entry, root)]

    def _is_study(self, file: Path, root: Path) -> bool:
        if not (is_zip(file) or volume_format(file)) or file.name in RESULT_FILES:
            return False
        if self.series_uid is not None and not is_zip(file):
            return self.leave_out(root, "volume file(s) without a series UID")
        inner_folder = "" if file.parent == root else file.parent.name
        if is_mask_name(stem(file)) or is_mask_name(inner_folder):
            return self.leave_out(root, "file(s) named as masks")
        return True

    def _is_dicom_study(self, files: list[Path], root: Path) -> bool:
        dicom = [file for file in files if is_dicom(file)]
        if any(self._is_wanted(file) for file in dicom):
            return True
        wanted = "CT" if self.series_uid is None else "the series asked for"
        return self.leave_out(root, f"DICOM folder(s) without {wanted}") if dicom else False

    def _is_wanted(self, file: Path) -> bool:
        # Imported late: a search that meets no DICOM file does without pydicom.
        from transforms.dicom_headers import DicomFile, read_header, why_not_a_slice

        try:
            header = read_header(DicomFile(file, str(file)), list(_HEADER))
        except UnreadableError:
            return self.series_uid is None  # a case that fails by itself, with its own message, beside the others
        if why_not_a_slice(header) is not None:
            return False
        return self.series_uid in (None, str(header.get("SeriesInstanceUID")))
