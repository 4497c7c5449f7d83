"""The bundle reference is what the configs say now."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[2]


def reference():
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date():
    program = reference()
    assert program.PAGE.read_text(encoding="utf-8") == program.page(), "run `python docs/reference.py`"


def test_every_key_of_every_config_is_there(tmp_path):
    lines = ["a: 1    # first", "train:", "  dataset: {_target_: pipeline.cohorts.CaseDataset}", "    b: 2", "c: [x|y]"]
    content = {"a": 1, "train": {"dataset": {"_target_": "pipeline.cohorts.CaseDataset"}}, "c": "x|y"}
    assert reference().keys(lines, content) == [
        ("a", "`1`", "first"),
        ("train", "`{'dataset': {'_target_': 'pipeline.cohorts.CaseDataset'}}`", ""),
        ("train#dataset", "`pipeline.cohorts.CaseDataset`", "Reads and preprocesses whole cases."),
        ("c", "`x\\|y`", ""),
    ]
