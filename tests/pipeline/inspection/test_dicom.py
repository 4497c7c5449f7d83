"""What an inspection says of DICOM folders: the facts of headers, and the reader's own verdict."""

import shutil
import zipfile

import numpy as np
import pytest
from pydicom.uid import RLELossless, generate_uid

from pipeline.datasets.studies import Case
from pipeline.inspection import inspect_case
from pipeline.inspection.results import Gap, Rescale
from transforms.errors import CTError
from transforms.reading import read_ct


def looked_at(path, *, series_uid=None, **options):
    return inspect_case(Case(name="case", path=path, series_uid=series_uid), **options)


def readers_words(path, **options):
    with pytest.raises(CTError) as caught:
        read_ct(path, **options)
    return str(caught.value)


def moved(dataset, x=0.0, y=0.0, z=0.0):
    dataset.ImagePositionPatient = [float(p) + d for p, d in zip(dataset.ImagePositionPatient, (x, y, z), strict=True)]


def without_negative_values(dataset, index):
    dataset.PixelData = np.maximum(dataset.pixel_array, 1024).tobytes()


def sharp(dataset, index):
    dataset.ConvolutionKernel = "B80f"


def test_a_whole_series(chest):
    found = looked_at(chest())
    (one,) = found.series
    assert found.verdict.sentence == "will be read"
    assert (found.volume.shape, found.volume.spacing_mm) == ((12, 10, 8), (0.8, 0.7, 2.5))
    assert (found.volume.plane, found.volume.oblique_degrees) == ("axial", 0.0)
    assert (one.slices, one.files, one.rows, one.columns) == (8, 8, 10, 12)
    assert one.pixel_spacing_mm == (0.7, 0.8)
    assert (one.spacing_mm, one.thicknesses_mm, one.extent_mm) == (2.5, (2.5,), 20.0)
    assert (one.plane, one.oblique_degrees, one.tilt_degrees, one.patient_position) == ("axial", 0.0, 0.0, "HFS")
    assert (one.gaps, one.duplicates, one.acquisitions, one.temporal_positions) == ((), 0, ("1",), ())
    assert [syntax.name for syntax in one.transfer_syntaxes] == ["Explicit VR Little Endian"]
    assert one.rescales == (Rescale(slope=1.0, intercept=-1024.0, slices=8),)
    assert (one.manufacturer, one.model, one.kilovolts) == ("ctvol", "synthetic chest", (120.0,))
    assert (one.modality, one.contrast_agent, one.taken, one.reason) == ("CT", False, True, "the only one")


def test_what_is_planned_is_what_is_read(chest):
    def shear(dataset, index):
        moved(dataset, y=0.5 * index, z=1.0 * (index > 3))

    folder = chest(change=shear)
    planned = looked_at(folder, allow=["tilt", "uneven"]).volume
    volume = read_ct(folder, allow=["tilt", "uneven"])
    assert planned.shape == volume.array.shape
    np.testing.assert_allclose(planned.spacing_mm, np.linalg.norm(volume.affine[:3, :3], axis=0), atol=1e-4)


def test_missing_slices_are_named_with_their_place(chest):
    folder = chest(change=lambda _, index: index not in (3, 5))
    found = looked_at(folder)
    assert found.series[0].gaps == (
        Gap(start_mm=5.0, end_mm=10.0, width_mm=5.0),
        Gap(start_mm=10.0, end_mm=15.0, width_mm=5.0),
    )
    assert found.verdict.sentence == "will be read after: --allow uneven"
    assert found.verdict.error == readers_words(folder)
    assert found.volume.shape == (12, 10, 8)


def test_what_is_allowed_is_needed_no_more(chest):
    folder = chest(change=lambda _, index: index != 3)
    found = looked_at(folder, allow=["uneven"])
    assert found.verdict.sentence == "will be read"
    assert "interpolated" in found.repairs[-1]


def test_a_gap_too_wide_to_bridge_is_refused_even_so(chest):
    folder = chest(step_mm=4.0, change=lambda _, index: index not in (3, 4))
    found = looked_at(folder)
    assert found.verdict.kind == "refused"
    assert found.verdict.error == readers_words(folder)
    assert found.verdict.still == readers_words(folder, allow=["uneven", "tilt", "not-hu"])
    assert found.volume is None


@pytest.mark.parametrize("degrees", [1.0, -18.5, 30.0])
def test_gantry_tilt_is_measured(chest, degrees):
    rise = 2.5 * np.tan(np.radians(degrees))
    found = looked_at(chest(change=lambda dataset, index: moved(dataset, y=rise * index)))
    assert found.series[0].tilt_degrees == pytest.approx(abs(degrees), abs=0.01)
    assert found.verdict.sentence == "will be read after: --allow tilt"


def test_several_things_need_several_allowances(chest):
    def both(dataset, index):
        moved(dataset, y=0.5 * index)
        return index != 3

    assert looked_at(chest(change=both)).verdict.needs == ("tilt", "uneven")


def test_a_missing_rescale_needs_an_allowance_and_shows(chest):
    def bend(dataset, index):
        if index < 2:
            del dataset.RescaleSlope

    found = looked_at(chest(change=bend))
    assert found.verdict.needs == ("not-hu",)
    assert found.series[0].rescales == (
        Rescale(slope=1.0, intercept=-1024.0, slices=6),
        Rescale(slope=None, intercept=-1024.0, slices=2),
    )


COS, SIN = np.cos(0.2), np.sin(0.2)


@pytest.mark.parametrize(
    ("axes", "plane", "degrees"),
    [
        ([[0, -1, 0], [0, 0, -1], [1, 0, 0]], "sagittal", 0.0),
        ([[-1, 0, 0], [0, 0, -1], [0, -1, 0]], "coronal", 0.0),
        ([[-1, 0, 0], [0, -COS, -SIN], [0, -SIN, COS]], "axial", 11.46),
        ([[-COS, -SIN, 0], [SIN, -COS, 0], [0, 0, 1]], "axial", 11.46),
    ],
)
def test_the_plane_of_the_slices(chest, axes, plane, degrees):
    affine = np.eye(4)
    affine[:3, :3] = np.transpose(axes)
    found = looked_at(chest(affine=affine))
    assert (found.series[0].plane, found.series[0].oblique_degrees) == (plane, degrees)
    assert (found.volume.plane, found.volume.oblique_degrees) == (plane, degrees)
    assert found.verdict.kind == "read"


def test_copies_are_counted_and_different_slices_at_one_place_refused(chest, tmp_path):
    folder = chest()
    shutil.copy(folder / "000002.dcm", folder / "again.dcm")
    found = looked_at(folder)
    assert (found.series[0].slices, found.series[0].duplicates, found.volume.shape) == (9, 1, (12, 10, 8))
    assert found.repairs == ("1 exact copies of slices were dropped.",)
    other = chest("other", change=lambda dataset, index: moved(dataset, z=-2.5 * (index == 4)))
    found = looked_at(other)
    assert found.series[0].duplicates == 1
    assert found.verdict.error == readers_words(other)


def test_of_several_series_each_is_described_and_the_choice_explained(chest):
    folder = chest(step_mm=2.0, slices=10)
    for name, seed, options in (
        ("short", 1, {"slices": 4, "step_mm": 2.0}),
        ("thick", 2, {"slices": 5, "step_mm": 4.0}),
        ("sharp", 3, {"slices": 10, "step_mm": 2.0, "change": sharp}),
    ):
        for path in chest(name, seed=seed, **options).iterdir():
            shutil.move(path, folder / f"{name}{path.name}")
    found = looked_at(folder)
    assert sorted((one.slices, one.taken, one.reason) for one in found.series) == [
        (4, False, "covers less"),
        (5, False, "has thicker slices"),
        (10, False, "has a sharper kernel"),
        (10, True, "covers the most, with the thinnest slices and the softest kernel, in this order"),
    ]
    short = next(one.name for one in found.series if one.slices == 4)
    named = looked_at(folder, series_uid=short)
    assert named.volume.shape[2] == 4
    assert {(one.name == short, one.taken, one.reason) for one in named.series} == {
        (True, True, "named"),
        (False, False, "another one was named"),
    }


def test_several_acquisitions_under_one_uid_are_shown_each(chest):
    def two(dataset, index):
        dataset.AcquisitionNumber = 1 + index % 2
        moved(dataset, z=-2.5 * (index % 2))

    folder = chest(change=two)
    found = looked_at(folder)
    assert [(one.slices, one.acquisitions, one.taken) for one in found.series] == [
        (4, ("1",), False),
        (4, ("2",), False),
    ]
    assert {one.reason for one in found.series} == {"nothing says which stack of the series to read"}
    assert found.verdict.error == readers_words(folder)
    assert looked_at(folder, series_uid=found.series[1].name).verdict.kind == "read"


def test_what_else_is_there_is_counted(chest, add_foreign):
    folder = chest()
    add_foreign(folder)
    assert looked_at(folder).passed_over == (
        ("localizers", 1),
        ("modality RTSTRUCT", 1),
        ("no CT slices (screenshot, dose report)", 1),
        ("not DICOM", 1),
    )


def test_one_broken_file_refuses_the_case_and_hides_nothing(chest):
    folder = chest()
    (folder / "000001.dcm").write_bytes((folder / "000001.dcm").read_bytes()[:300])
    (folder / "empty.dcm").write_bytes(b"")
    found = looked_at(folder)
    assert found.verdict.kind == "refused"
    assert found.verdict.error == readers_words(folder)
    assert dict(found.passed_over) == {"unreadable": 2}
    assert found.series[0].slices == 7


def test_pixels_that_are_cut_short_are_seen_from_the_header(chest):
    folder = chest()
    whole = (folder / "000003.dcm").read_bytes()
    (folder / "000003.dcm").write_bytes(whole[:-20])
    found = looked_at(folder)
    assert found.verdict.error_kind == "UnreadableError"
    assert "000003.dcm: the pixels are cut short" in found.verdict.error


def test_an_encoding_without_its_decoder_names_the_extra(chest, monkeypatch):
    from transforms.reading.dicom_pixels import codecs

    def compress(dataset, index):
        dataset.compress(RLELossless, encoding_plugin="pydicom")

    folder = chest(change=compress)
    (syntax,) = looked_at(folder).series[0].transfer_syntaxes
    assert (syntax.uid, syntax.readable) == (RLELossless, True)
    monkeypatch.setattr(codecs, "_PREFERENCES", {})
    found = looked_at(folder)
    assert not found.series[0].transfer_syntaxes[0].readable
    assert found.verdict.error_kind == "MissingExtraError"
    assert "ctvol[codecs]" in found.verdict.error


def test_a_header_without_places_is_described_as_far_as_it_goes(chest):
    def forget(dataset, index):
        del dataset.ImageOrientationPatient
        del dataset.ImagePositionPatient
        del dataset.PixelSpacing

    found = looked_at(chest(change=forget))
    (one,) = found.series
    assert (one.plane, one.spacing_mm, one.tilt_degrees, one.pixel_spacing_mm) == (None, None, None, None)
    assert "ImagePositionPatient" in found.verdict.error


def test_contrast_agent_and_times(chest):
    def enhance(dataset, index):
        dataset.ContrastBolusAgent = "something"
        dataset.TemporalPositionIdentifier = 1 + index // 4

    (one,) = looked_at(chest(change=enhance)).series
    assert (one.contrast_agent, one.temporal_positions) == (True, ("1", "2"))


def test_a_zip_and_a_single_file(chest, tmp_path):
    folder = chest()
    with zipfile.ZipFile(tmp_path / "ct.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, f"inside/{path.name}")
    zipped = looked_at(tmp_path / "ct.zip")
    assert (zipped.verdict.kind, zipped.series[0].slices, zipped.series[0].model) == ("read", 8, "synthetic chest")
    single = looked_at(folder / "000001.dcm")
    assert (single.volume.shape, single.series[0].gaps) == ((12, 10, 1), ())


def test_a_uid_that_is_not_there_is_refused_with_what_is(chest):
    folder = chest()
    found = looked_at(folder, series_uid=generate_uid(entropy_srcs=["another"]))
    assert found.verdict.error_kind == "SeriesError"
    assert [one.reason for one in found.series] == ["another one was named"]


def test_values_are_read_when_asked_for(chest):
    folder = chest(change=without_negative_values)
    assert looked_at(folder).verdict.kind == "read"
    found = looked_at(folder, values=True)
    assert (found.values.kind, found.verdict.needs) == ("cut-at-zero", ("not-hu",))
    assert found.verdict.error == readers_words(folder)
    folder = chest("right")
    right = looked_at(folder, values=True)
    assert (right.values.kind, right.verdict.kind) == ("hu", "read")
    volume = read_ct(folder)
    assert (right.values.low, right.values.high) == (volume.array.min(), volume.array.max())


def test_needs_of_headers_and_values_come_together(chest):
    def bend(dataset, index):
        without_negative_values(dataset, index)
        return index != 3

    found = looked_at(chest(change=bend), values=True)
    assert found.verdict.sentence == "will be read after: --allow not-hu --allow uneven"
    assert "missing" in found.verdict.error
