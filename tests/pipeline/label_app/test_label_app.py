"""What of the app for MONAI Label can be tried without MONAI Label: its folder, its pins, and the entropy."""

import re
from pathlib import Path

import pytest
import torch

from pipeline.label_app import write_label_app
from pipeline.label_app.entropy import uncertainty
from transforms.errors import OutputError

ROOT = Path(__file__).parents[3]


def pins(path):
    return dict(re.findall(r"^([\w.-]+)==(\S+)$", path.read_text().lower(), flags=re.M))


def test_the_folder_has_all_that_a_server_needs_and_can_be_written_again(tmp_path):
    app = write_label_app(tmp_path / "app")
    (app / "model").mkdir()
    (app / "model" / "segmentation_3d.pt").write_text("trained here")
    (app / "main.py").write_text((app / "main.py").read_text() + "# a change\n")
    assert write_label_app(app) == app
    assert (app / "model" / "segmentation_3d.pt").read_text() == "trained here"
    assert "a change" not in (app / "main.py").read_text()
    assert {path.name for path in (app / "environment").iterdir()} == {
        "pyproject.toml",
        "ctvol_monailabel.py",
        "ctvol_monailabel.pth",
    }
    assert re.search(r"class \w+\(MONAILabelApp\)", (app / "main.py").read_text())


def test_the_app_of_someone_else_stays(tmp_path):
    (tmp_path / "main.py").write_text("print('mine')")
    with pytest.raises(OutputError, match="holds another app"):
        write_label_app(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["main.py"]


def test_the_command_names_the_folder(run_ctvol, tmp_path):
    done = run_ctvol("label-app", tmp_path / "app")
    assert (done.returncode, done.stdout.strip()) == (0, str(tmp_path / "app"))


def test_the_servers_environment_has_the_versions_that_results_depend_on(tmp_path):
    own, tested = pins(write_label_app(tmp_path / "app") / "requirements.txt"), pins(ROOT / "constraints.txt")
    for name in ("monai", "numpy", "nibabel", "scipy", "scikit-image", "simpleitk", "pydicom", "highdicom", "itk"):
        assert own[name] == tested[name], name
    assert own["monailabel"] == "0.8.5"
    assert "torch" not in own


def test_uncertainty_is_zero_for_the_certain_one_for_the_guessed_and_not_drowned_by_air():
    certain = torch.zeros(4, 10, 10, 10)
    certain[0] = 50
    assert uncertainty(certain) == pytest.approx(0, abs=1e-6)
    assert uncertainty(torch.zeros(4, 10, 10, 10)) == pytest.approx(1)
    lesion = certain.clone()
    lesion[:, 5, 5, :] = 0  # one hundredth of all voxels
    assert uncertainty(lesion) == pytest.approx(1)
    assert uncertainty(lesion, top=0.1) == pytest.approx(0.1, abs=1e-5)
