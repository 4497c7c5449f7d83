"""Studies to cases."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

from pipeline.datasets import Case, find_cases
from pipeline.datasets.case_names import case_names, safe_name
from pipeline.datasets.study_folders import is_mask_name
from transforms.errors import DataListError, NotFoundError


def touch(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def dicom(path: Path, modality="CT", series="1.2.3") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = CTImageStorage if modality == "CT" else MRImageStorage
    dataset.SOPInstanceUID, dataset.SeriesInstanceUID, dataset.Modality = generate_uid(), series, modality
    dataset.PatientName, dataset.Rows, dataset.Columns = "TELLING^NAME", 4, 4
    dataset.save_as(path, enforce_file_format=True)
    return path


def found(study, **options):
    return {case.name: case.path for case in find_cases(study, **options)}


def test_one_file_of_each_kind(tmp_path):
    for name in ("a.nii.gz", "b.nii", "c.nrrd", "d.mha", "e.mhd", "f.zip"):
        path = touch(tmp_path / name)
        assert found(path) == {name[0]: path}
    slice_file = dicom(tmp_path / "g.dcm")
    assert found(str(slice_file)) == {"g": slice_file}


def test_dicom_folder_needs_no_extensions(tmp_path):
    dicom(tmp_path / "series" / "IM0001")
    touch(tmp_path / "series" / "LICENSE")
    assert found(tmp_path / "series") == {"series": tmp_path / "series"}


def test_nested_folders_of_everything(tmp_path):
    dicom(tmp_path / "p1" / "thin" / "1")
    dicom(tmp_path / "p1" / "thick" / "1")
    touch(tmp_path / "p2" / "ct.nii.gz")
    touch(tmp_path / "p3.zip")
    touch(tmp_path / "notes.txt")
    touch(tmp_path / "DICOMDIR", bytes(128) + b"DICM")
    assert list(found(tmp_path)) == ["p3", "thick", "thin", "ct"]


def test_folders_without_ct_are_no_cases(tmp_path):
    dicom(tmp_path / "mr" / "1", "MR")
    with pytest.raises(NotFoundError, match=r"1 DICOM folder\(s\) without CT"):
        find_cases(tmp_path)
    dicom(tmp_path / "ct" / "1")
    assert list(found(tmp_path)) == ["ct"]


def test_a_series_uid_picks_its_folder(tmp_path):
    dicom(tmp_path / "a" / "1", series="1.1")
    dicom(tmp_path / "b" / "1", series="1.2")
    (case,) = find_cases(tmp_path, series_uid="1.2")
    assert case == Case(name="b", path=tmp_path / "b", series_uid="1.2")
    assert case.data() == {"case": "b", "image": str(tmp_path / "b"), "series_uid": "1.2"}
    (part,) = find_cases(tmp_path, series_uid="1.2:AcquisitionNumber=3")
    assert part == Case(name="b", path=tmp_path / "b", series_uid="1.2:AcquisitionNumber=3")
    with pytest.raises(NotFoundError, match="without the series asked for"):
        find_cases(tmp_path, series_uid="1.3")


def test_masks_beside_images_are_left_alone(tmp_path):
    for case in ("STS_001", "STS_002"):
        touch(tmp_path / case / "CT_image.nii.gz")
        touch(tmp_path / case / "CT_mask.nii.gz")
    touch(tmp_path / "imagesTr" / "lung_1.nii.gz")
    touch(tmp_path / "labelsTr" / "lung_1.nii.gz")
    assert list(found(tmp_path)) == ["STS_001_CT_image", "STS_002_CT_image", "lung_1"]


def test_masks_are_taken_when_they_are_asked_for(tmp_path):
    mask = touch(tmp_path / "STS_001" / "CT_mask.nii.gz")
    touch(tmp_path / "STS_001" / "CT_image.nii.gz")
    assert found(tmp_path, pattern="STS_*/CT_mask.nii.gz") == {"CT_mask": mask}
    assert found(mask) == {"CT_mask": mask}
    assert found(str(tmp_path / "*" / "*mask*")) == {"CT_mask": mask}


def test_only_masks_is_an_error_that_says_so(tmp_path):
    touch(tmp_path / "CT_mask.nii.gz")
    with pytest.raises(NotFoundError) as caught:
        find_cases(tmp_path)
    for part in (str(tmp_path), "1 file(s) named as masks left out", "--pattern"):
        assert part in str(caught.value)


@pytest.mark.parametrize("name", ["CT_mask", "lungMask", "liver-seg", "labelsTr", "case_1_SEG", "groundTruth", "gt"])
def test_mask_words(name):
    assert is_mask_name(name)


@pytest.mark.parametrize("name", ["CT_image", "unlabelled", "segment", "masked2", "Segovia", "integral", "groundwater"])
def test_other_words(name):
    assert not is_mask_name(name)


def test_our_results_are_no_studies(tmp_path):
    touch(tmp_path / "ct.nii.gz")
    touch(tmp_path / "out" / "ct" / "labels.nii.gz")
    touch(tmp_path / "out" / "ct" / "lungs.nii.gz")
    touch(tmp_path / "done" / "ct" / "provenance.json")
    touch(tmp_path / "done" / "ct" / "native.nii.gz")
    assert list(found(tmp_path)) == ["ct"]


def test_pattern_and_glob(tmp_path):
    for case in ("STS_001", "STS_002"):
        touch(tmp_path / case / "CT_image.nii.gz")
        touch(tmp_path / case / "PET_image.nii.gz")
    dicom(tmp_path / "series-1" / "1")
    expected = ["STS_001_CT_image", "STS_002_CT_image"]
    assert list(found(tmp_path, pattern="STS_*/CT_image.nii.gz")) == expected
    assert list(found(str(tmp_path / "STS_*" / "CT_image.nii.gz"))) == expected
    assert list(found(tmp_path, pattern="series-*")) == ["series-1"]
    with pytest.raises(NotFoundError, match=r"nothing matches the pattern 'x\*'"):
        find_cases(tmp_path, pattern="x*")
    with pytest.raises(NotFoundError, match="nothing to read"):
        find_cases(str(tmp_path / "x*"))


def test_several_studies_each_once(tmp_path):
    first, second = touch(tmp_path / "a" / "ct.nii.gz"), touch(tmp_path / "b" / "ct.nii.gz")
    assert found([tmp_path / "a", second, first]) == {"a_ct": first, "b_ct": second}


def test_a_named_folder_without_ct_is_a_case_that_fails_by_itself(tmp_path):
    image = touch(tmp_path / "a" / "ct.nii.gz")
    (tmp_path / "b").mkdir()
    touch(tmp_path / "b" / "notes.txt")
    cases = find_cases([tmp_path / "a", tmp_path / "b"])
    assert [(case.name, case.path) for case in cases] == [("ct", image), ("b", tmp_path / "b")]
    with pytest.raises(NotFoundError):
        find_cases([tmp_path / "b"])
    with pytest.raises(NotFoundError):
        find_cases([tmp_path / "b", tmp_path / "b"])


def test_links_are_followed_and_round_trips_are_not(tmp_path):
    touch(tmp_path / "elsewhere" / "ct.nii.gz")
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "study")
    assert list(found(tmp_path / "study")) == ["ct"]


def test_nothing_there(tmp_path):
    with pytest.raises(NotFoundError, match="no such file or folder"):
        find_cases(tmp_path / "none")
    with pytest.raises(NotFoundError, match="nothing to read"):
        find_cases(tmp_path)
    with pytest.raises(NotFoundError):
        find_cases([])


@pytest.mark.parametrize("keep", [140, 250])
def test_a_corrupt_slice_is_a_case_that_fails_by_itself(tmp_path, keep):
    path = dicom(tmp_path / "s" / "1")
    path.write_bytes(path.read_bytes()[:keep])
    touch(tmp_path / "ct.nii.gz")
    assert list(found(tmp_path)) == ["ct", "s"]


class TestTable:
    def write(self, tmp_path, text) -> Path:
        touch(tmp_path / "data" / "a.nii.gz")
        touch(tmp_path / "data" / "b.nii.gz")
        return touch(tmp_path / "list.csv", text.encode())

    def test_paths_names_and_series(self, tmp_path):
        table = self.write(tmp_path, "\ufeffpath,case,series_uid\ndata/a.nii.gz,first/one,1.2\ndata/b.nii.gz,,\n")
        a, b = tmp_path / "data" / "a.nii.gz", tmp_path / "data" / "b.nii.gz"
        assert find_cases(table) == [Case(name="first_one", path=a, series_uid="1.2"), Case(name="b", path=b)]

    @pytest.mark.parametrize(
        ("text", "parts"),
        [
            ("file\ndata/a.nii.gz\n", ["no column `path`", "found file"]),
            ('path\ndata/c.nii.gz\n""\n', ["2 of 2 rows", "row 2", "c.nii.gz does not exist", "row 3: no path"]),
            ("path,case\ndata/a.nii.gz,x\ndata/b.nii.gz,x\n", ["one name", "found x"]),
            ('path\n"data/a.nii.gz\n', ["cannot be read"]),
        ],
    )
    def test_faults(self, tmp_path, text, parts):
        with pytest.raises(DataListError) as caught:
            find_cases(self.write(tmp_path, text))
        assert caught.value.remedy
        for part in parts:
            assert part in str(caught.value)

    def test_no_rows(self, tmp_path):
        with pytest.raises(NotFoundError, match="no rows"):
            find_cases(self.write(tmp_path, "path\n"))


class TestNames:
    def test_collisions_take_the_shortest_tail(self):
        paths = [Path(f"/d/{tail}") for tail in ("a/x/ct.nii.gz", "b/x/ct.nii.gz", "b/y/ct.nii.gz", "z.nii")]
        assert case_names(paths) == ["a_x_ct", "b_x_ct", "y_ct", "z"]

    def test_names_that_differ_in_case_alone_collide(self):
        assert case_names([Path("/d/a/CT.nii"), Path("/d/b/ct.nii")]) == ["a_CT", "b_ct"]

    def test_what_cannot_be_told_apart_is_numbered(self):
        assert case_names([Path("/d/ct.nii"), Path("/d/ct.nrrd")]) == ["d_ct", "d_ct_2"]

    def test_given_names_are_kept_clear(self):
        assert case_names([Path("/d/ct.nii")], taken=["ct"]) == ["d_ct"]

    def test_the_current_folder_has_a_name(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        dicom(tmp_path / "1")
        assert list(found(".")) == [safe_name(tmp_path.name)]

    @pytest.mark.parametrize(
        ("text", "name"),
        [("..", "case"), (".hidden", "hidden"), ("a/b\\c:d", "a_b_c_d"), ("a  b", "a_b"), ("-rf", "rf"), ("", "case")],
    )
    def test_safe(self, text, name):
        assert safe_name(text) == name

    def test_long_names_stay_different(self):
        first, second = safe_name("a" * 300 + "1"), safe_name("a" * 300 + "2")
        assert len(first) == len(second) == 100
        assert first != second


def test_zip_inside_a_folder(tmp_path):
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as opened:
        opened.writestr("1.dcm", b"x")
    assert list(found(tmp_path)) == ["study"]


def test_the_command_line_can_start_fast(tmp_path):
    dicom(tmp_path / "s" / "1")
    code = f"""
import sys
from pipeline.datasets import find_cases
assert [case.name for case in find_cases({str(tmp_path)!r})] == ["s"]
assert not {{"torch", "monai"}} & set(sys.modules), "heavy import"
"""
    subprocess.run([sys.executable, "-c", code], check=True)
