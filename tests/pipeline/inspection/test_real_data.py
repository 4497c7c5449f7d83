"""Real and awkward CT: every folder ends with a verdict, the one that the reader gives."""

import pytest

from pipeline.datasets.studies import Case
from pipeline.inspection import inspect_case, inspect_studies
from transforms.errors import CTError
from transforms.reading import read_ct

pytestmark = pytest.mark.filterwarnings("ignore")
FILES = {".nii", ".gz", ".dcm"}


def said_by_the_reader(path):
    try:
        return read_ct(path).array.shape, None
    except CTError as error:
        return None, str(error)


def test_a_whole_chest(real_data):
    (case,) = inspect_studies([real_data / "chest-lidc-0314"]).cases
    (series,) = case.series
    assert case.verdict.sentence == "will be read"
    assert (case.volume.shape, case.volume.spacing_mm) == ((512, 512, 275), (0.7812, 0.7812, 1.0))
    assert (series.manufacturer, series.kernels, series.kilovolts) == ("Philips", ("D",), (120.0,))
    assert (series.gaps, series.tilt_degrees, series.contrast_agent) == ((), 0.0, False)


def test_two_reconstructions_and_which_is_taken(real_data):
    case = inspect_case(Case(name="patient", path=real_data / "chest-lung-dx-a0002"))
    assert [(one.slices, one.kernels, one.taken) for one in case.series] == [
        (30, ("B40f",), True),
        (10, ("B70f",), False),
    ]
    assert case.series[1].reason == "covers less"


def test_a_tilted_acquisition_with_uneven_gaps(real_data):
    (case,) = inspect_studies([real_data / "awkward/dcm-qa-ct-ge"]).cases
    (series,) = case.series
    assert case.verdict.sentence == "will be read after: --allow tilt --allow uneven"
    assert (series.tilt_degrees, series.slices, len(series.acquisitions)) == (18.5, 28, 21)
    assert [gap.width_mm for gap in series.gaps] == [1.081] + [pytest.approx(7, abs=0.01)] * 13


def test_awkward_folders_end_with_the_verdict_of_the_reader(real_data):
    root = real_data / "awkward"
    verdicts = set()
    for path in [path for path in root.rglob("*") if path.is_dir()]:
        case = inspect_case(Case(name="case", path=path))
        shape, error = said_by_the_reader(path)
        assert (case.verdict.kind == "read") == (error is None), path
        assert case.verdict.error == error
        assert shape in (None, case.volume and case.volume.shape)
        verdicts.add(case.verdict.kind)
    assert verdicts == {"read", "read-after", "refused"}


def test_awkward_files_end_with_the_verdict_of_the_reader(real_data):
    root = real_data / "awkward"
    paths = [*(root / "pydicom").iterdir(), *(root / "totalseg-example").glob("*.nii.gz")]
    for path in paths:
        case = inspect_case(Case(name="case", path=path), values=True)
        shape, error = said_by_the_reader(path)
        assert case.verdict.error == error, path
        assert shape in (None, case.volume and case.volume.shape)
    assert len(paths) > 80


def test_all_of_it_at_once(real_data):
    found = inspect_studies([real_data / "awkward", real_data / "sts-ct"])
    assert len(found.cases) > 25
    assert found.exit_status == 1
    assert all(case.verdict.sentence for case in found.cases)
