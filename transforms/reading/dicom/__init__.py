"""DICOM files to one stack of slices, and that to a volume."""

from transforms.reading.dicom.files import files_of_folder
from transforms.reading.dicom.geometry import Frame, places_mm, shared_frame
from transforms.reading.dicom.grid import Grid, grid_of
from transforms.reading.dicom.read import SeriesPlan, plan_series, read_dicom
from transforms.reading.dicom.series import Candidate, candidates_of, choose_series, rounds

__all__ = [
    "Candidate",
    "Frame",
    "Grid",
    "SeriesPlan",
    "candidates_of",
    "choose_series",
    "files_of_folder",
    "grid_of",
    "places_mm",
    "plan_series",
    "read_dicom",
    "rounds",
    "shared_frame",
]
