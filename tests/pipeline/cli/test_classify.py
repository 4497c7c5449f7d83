"""`ctvol classify` hands its options on to the bundle's workflow; the workflow itself is tested with the bundle."""

import pytest
from click.testing import CliRunner

import pipeline.bundle
from pipeline.cli import ctvol


@pytest.fixture
def asked(monkeypatch):
    """What the workflow was asked for, in place of running it."""
    calls = {}

    def run_workflow(bundle, configs, **overrides):
        calls.update(bundle=bundle.name, configs=configs, **overrides)

    monkeypatch.setattr(pipeline.bundle, "run_workflow", run_workflow)
    return calls


def invoke(*arguments):
    result = CliRunner().invoke(ctvol, ["classify", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def test_the_plain_command(asked):
    assert invoke("slice.png", "-o", "out").stdout == "out\n"
    assert asked == {
        "bundle": "ct_slice_classification",
        "configs": ["inference.yaml"],
        "dataset_dir": "slice.png",
        "output_dir": "out",
        "mode": "fast",
        "series_uid": None,
        "pattern": None,
        "allow": [],
        "gradcam": 0,
        "device": "auto",
        "log_json": False,
        "engine": "local",
        "jobs": None,
    }


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--tta"], {"flips": [[], [-1]]}),
        (["--gradcam", "3"], {"gradcam": 3}),
        (["--mode", "exact"], {"mode": "exact"}),
        (["--weights", "mine.pt"], {"weights": "mine.pt"}),
        (["--overlay", "one_logit.yaml"], {"configs": ["inference.yaml", "one_logit.yaml"]}),
        (["--weights", "a.pt", "--weights", "b.pt"], {"weights": ["a.pt", "b.pt"]}),
        (
            ["--overlay", "one_logit.yaml", "--weights", "a.pt", "--weights", "b.pt"],
            {"configs": ["inference.yaml", "one_logit.yaml", "ensemble.yaml"]},
        ),
        (["--device", "cpu"], {"device": "cpu"}),
        (["--allow", "uneven"], {"allow": ["uneven"]}),
        (["--jobs", "2"], {"jobs": 2}),
        (["--engine", "ray"], {"engine": "ray"}),
        (["b.jpg"], {"dataset_dir": ["slice.png", "b.jpg"]}),
    ],
)
def test_options_become_keys_of_the_config(asked, options, expected):
    invoke("slice.png", "-o", "out", *options)
    assert {key: asked[key] for key in expected} == expected
