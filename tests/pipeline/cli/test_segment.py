"""`ctvol segment` hands its options on to the bundle's workflow; the workflow itself is tested with the bundle."""

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
    result = CliRunner().invoke(ctvol, ["segment", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def test_the_plain_command(asked):
    assert invoke("scan.nii.gz", "-o", "out").stdout == "out\n"
    device = asked.pop("device", "auto")
    assert device == "auto"
    assert asked == {
        "bundle": "ct_lesion_segmentation",
        "configs": ["inference.yaml"],
        "dataset_dir": "scan.nii.gz",
        "output_dir": "out",
        "mode": "fast",
        "tta": False,
        "series_uid": None,
        "pattern": None,
        "allow": [],
        "write": None,
        "log_json": False,
        "engine": "local",
        "jobs": None,
    }


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--variant", "2.5d"], {"configs": ["inference.yaml", "unet_2_5d.yaml"]}),
        (["--binary"], {"configs": ["inference.yaml", "binary.yaml"]}),
        (["--variant", "2.5d", "--binary"], {"configs": ["inference.yaml", "unet_2_5d.yaml", "binary.yaml"]}),
        (["--mode", "exact"], {"mode": "exact"}),
        (["--weights", "mine.pt"], {"weights": "mine.pt"}),
        (["--weights", "a.pt", "--weights", "b.pt"], {"weights": ["a.pt", "b.pt"]}),
        (
            ["--variant", "2.5d", "--weights", "a.pt", "--weights", "b.pt"],
            {"configs": ["inference.yaml", "unet_2_5d.yaml", "ensemble.yaml"]},
        ),
        (["--write", "nifti,lungs"], {"write": ["nifti", "lungs"]}),
        (["--write", "nifti", "--write", "lungs,seg"], {"write": ["nifti", "lungs", "seg"]}),
        (["--allow", "uneven", "--allow", "tilt"], {"allow": ["uneven", "tilt"]}),
        (["--pattern", "*/CT.nii.gz"], {"pattern": "*/CT.nii.gz"}),
        (["--series-uid", "1.2.3"], {"series_uid": "1.2.3"}),
    ],
)
def test_options_become_keys_of_the_config(asked, options, expected):
    invoke("scan.nii.gz", "-o", "out", *options)
    assert {key: asked[key] for key in expected} == expected


def test_several_studies(asked):
    invoke("a.nii.gz", "b", "-o", "out")
    assert asked["dataset_dir"] == ["a.nii.gz", "b"]


def test_a_device_is_handed_on(asked):
    invoke("a.nii.gz", "-o", "out", "--device", "cuda:1")
    assert "cuda:1" in asked["device"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nowhere.nii.gz", "-o", "out", "--bundle", "none"], "none: there is no such bundle"),
        (["nowhere.nii.gz", "-o", "out"], ""),
        (["scan.nii.gz", "-o", "out", "--weights", "none.pt"], "none.pt: there is no such weights file"),
    ],
)
def test_mistakes_are_one_line_and_status_2(run_ctvol, tmp_path, arguments, expected):
    (tmp_path / "scan.nii.gz").write_bytes(b"never read")
    result = run_ctvol("segment", *arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.splitlines()[-1].startswith(f"ctvol: error: {expected}")
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()
