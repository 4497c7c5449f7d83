"""The lines that people read, word for word."""

import nibabel as nib
import numpy as np

from pipeline.inspection import as_text, inspect_studies, text


def lines(path, **options):
    return as_text(inspect_studies([path], **options)).splitlines()


def series_of(path):
    return inspect_studies([path]).cases[0].series[0].name


def test_a_whole_series(chest):
    folder = chest()
    assert lines(folder) == [
        "ct: will be read",
        f"  path         {folder}",
        "  format       dicom",
        "  volume       12 x 10 x 8 voxels of 0.8 x 0.7 x 2.5 mm, axial",
        f"  series       {series_of(folder)}",
        "    taken        the only one",
        "    slices       8 of 10 rows x 12 columns, CT, 8 files",
        "    spacing      0.7 x 0.8 mm, 2.5 mm thick, 2.5 mm apart over 20 mm",
        "    orientation  axial, HFS",
        "    rescale      slope 1, intercept -1024",
        "    encoding     Explicit VR Little Endian",
        "    scanner      ctvol synthetic chest",
        "    acquired     kernel B50f, 120 kV, no contrast agent named",
    ]


def test_what_is_odd_has_lines_of_its_own(chest, add_foreign):
    def bend(dataset, index):
        x, y, z = map(float, dataset.ImagePositionPatient)
        dataset.ImagePositionPatient = [x, y + 0.5 * index, z]
        dataset.AcquisitionNumber = 1 + index // 4
        dataset.RescaleIntercept = -1024 if index < 6 else -1000
        dataset.ContrastBolusAgent = "something"
        return index != 3

    folder = chest(change=bend)
    add_foreign(folder)
    said = lines(folder)
    assert said[0] == "ct: will be read after: --allow tilt --allow uneven"
    assert "    tilt         11.31 degrees" in said
    assert "    gaps         1: 5 mm from 5 to 10" in said
    assert "    acquisitions 1, 2" in said
    assert "    rescale      slope 1, intercept -1024 (5 slices), slope 1, intercept -1000 (2 slices)" in said
    assert "    acquired     kernel B50f, 120 kV, with contrast agent" in said
    passed_over = said.index(
        "  passed over  1 localizers, 1 modality RTSTRUCT, 1 no CT slices (screenshot, dose report), 1 not"
    )
    assert said[passed_over + 1] == "               DICOM"
    assert any(line.startswith("  reader says  ") for line in said)


def test_a_refusal_is_the_first_thing_and_fits(chest, tmp_path, monkeypatch):
    chest(step_mm=4.0, change=lambda _, index: index not in (3, 4))
    monkeypatch.chdir(tmp_path)
    said = lines("ct")
    assert said[0].startswith("ct: refused: ct: 2 slice(s) seem to be missing (found gaps of 4.00 mm")
    assert any(line.startswith("  if allowed   ") for line in said)
    assert max(map(len, said)) <= text.WIDTH


def test_a_nifti_file(tmp_path):
    image = nib.Nifti1Image(np.zeros((6, 5, 4), np.uint8), np.diag([-1.5, -1.5, 3.0, 1.0]))
    image.header.set_xyzt_units("mm")
    nib.save(image, tmp_path / "a.nii.gz")
    assert lines(tmp_path / "a.nii.gz") == [
        "a: will be read",
        f"  path         {tmp_path / 'a.nii.gz'}",
        "  format       nifti",
        "  volume       6 x 5 x 4 voxels of 1.5 x 1.5 x 3 mm, axial",
        "  header       6 x 5 x 4 of 1.5 x 1.5 x 3, uint8, units mm",
        "  orientation  LPS",
        "  codes        qform 0, sform 2",
    ]


def test_several_cases_are_counted_and_what_is_left_out_is_named(chest, tmp_path, monkeypatch):
    monkeypatch.setattr(text, "WIDTH", 1000)  # however long the path of the tests is
    chest("a")
    chest("b", seed=1, change=lambda _, index: index != 3)
    (tmp_path / "c.nii").write_bytes(b"nothing")
    (tmp_path / "mask.nii").write_bytes(b"nothing")
    said = lines(tmp_path)
    refused, *others = [line for line in said if line and not line.startswith(" ")]
    assert refused.startswith("c: refused: ")
    assert others == [
        "a: will be read",
        "b: will be read after: --allow uneven",
        f"{tmp_path}: 1 file(s) named as masks left out",
        "3 cases: 1 will be read, 1 will be read with --allow, 1 refused",
    ]
