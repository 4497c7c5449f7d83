"""What bundle configs need of Python: identity, statuses, where a bundle lies, which classes it has."""

import hashlib
import json
import logging
import sys

import pytest

from pipeline.bundle import bundle_identity, exit_status, find_bundle, report_errors, run_workflow
from pipeline.bundle.classes import bundle_classes
from pipeline.cohorts.evaluator import CasesFailedError
from transforms.errors import DataListError, GeometryError, NotFoundError, SettingError, UnreadableError


@pytest.fixture
def bundle(tmp_path):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "metadata.json").write_text(json.dumps({"name": "mine", "version": "2.0"}))
    return tmp_path


@pytest.fixture
def excepthook(monkeypatch):
    """Python's hook as it was, after the test; and MONAI's logger."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    logger = logging.getLogger("monai.handlers.StatsHandler")
    monkeypatch.setattr(logger, "filters", list(logger.filters))
    return logger


def test_identity_names_bundle_version_and_weights(bundle, tmp_path):
    (tmp_path / "model.pt").write_bytes(b"weights")
    identity = bundle_identity(bundle, tmp_path / "model.pt")
    assert (identity.name, identity.version) == ("mine", "2.0")
    assert identity.weights_hash == f"sha256:{hashlib.sha256(b'weights').hexdigest()}"
    assert bundle_identity(bundle).weights_hash is None


def test_a_folder_without_metadata_is_no_bundle(tmp_path):
    with pytest.raises(NotFoundError, match="--bundle_root"):
        bundle_identity(tmp_path)


@pytest.mark.parametrize("content", ["no json", "[]", '{"name": "mine"}'])
def test_metadata_without_name_and_version_are_refused(bundle, content):
    (bundle / "configs" / "metadata.json").write_text(content)
    with pytest.raises(UnreadableError, match="no name and version"):
        bundle_identity(bundle)


def test_a_bundle_is_found_by_name_and_by_folder(bundle):
    assert (find_bundle("ct_lesion_segmentation") / "configs" / "inference.yaml").is_file()
    assert find_bundle(str(bundle)) == bundle
    with pytest.raises(NotFoundError, match="ct_lesion_segmentation"):
        find_bundle("no_such_bundle")


def test_a_workflow_that_the_bundle_does_not_have(bundle):
    with pytest.raises(NotFoundError, match="no such configuration"):
        run_workflow(bundle, ["inference.yaml"])


def test_classes_come_from_the_config(bundle):
    (bundle / "configs" / "inference.yaml").write_text("classes: {background: 0, tumour: 1}\n")
    assert bundle_classes(bundle) == {"background": 0, "tumour": 1}
    (bundle / "configs" / "inference.yaml").write_text("names: [a]\n")
    with pytest.raises(UnreadableError, match="names no classes"):
        bundle_classes(bundle)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFoundError("x"), 2),
        (SettingError("x"), 2),
        (DataListError("x"), 2),
        (CasesFailedError("x"), 1),
        (GeometryError("x"), 1),
        (ValueError("x"), 1),
    ],
)
def test_statuses(error, status):
    assert exit_status(error) == status


def test_a_users_error_ends_python_with_one_line(excepthook, capsys):
    report_errors()
    error = RuntimeError("applying transform")
    error.__cause__ = SettingError("it cannot work", where="patch_size")
    with pytest.raises(SystemExit) as ended:
        sys.excepthook(RuntimeError, error, None)
    assert ended.value.code == 2
    assert capsys.readouterr().err == "ctvol: error: patch_size: it cannot work.\n"


def test_any_other_error_shows_its_traceback(excepthook, capsys):
    report_errors()
    try:
        raise KeyError("a bug")
    except KeyError as error:
        sys.excepthook(KeyError, error, error.__traceback__)
    assert "Traceback" in capsys.readouterr().err


def test_monai_shows_no_traceback_of_a_users_error(excepthook):
    report_errors()
    for error, shown in ((SettingError("x"), False), (ValueError("x"), True)):
        record = logging.LogRecord("x", logging.ERROR, "", 0, "", None, (type(error), error, None))
        assert bool(excepthook.filter(record)) is shown
    assert excepthook.filter(logging.LogRecord("x", logging.INFO, "", 0, "epoch 1", None, None))
