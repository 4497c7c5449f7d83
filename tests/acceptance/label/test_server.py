"""The app of `ctvol label-app` behind MONAI Label's real server, asked by MONAI Label's own client."""

import csv
import hashlib
import json
import os
import re
import subprocess
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from tests.acceptance.label.conftest import GRIDS, PYTHON

pytestmark = pytest.mark.service

PAGE = Path(__file__).parents[3] / "docs" / "monai-label.md"
VARIANTS = {"segmentation_3d": "3d", "segmentation_2_5d": "2.5d"}


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_info_names_models_labels_and_strategies(server):
    info = server.client.info()
    assert set(info["models"]) == {*VARIANTS, "classification"}
    assert info["models"]["segmentation_3d"]["labels"] == {
        "ground_glass": 1,
        "consolidation": 2,
        "pleural_effusion": 3,
    }
    assert {info["models"][name]["type"] for name in VARIANTS} == {"segmentation"}
    assert info["models"]["classification"]["type"] == "classification"
    assert set(info["trainers"]) == set(VARIANTS)
    assert "uncertainty" in info["strategies"]
    assert info["datastore"]["total"] == 4


@pytest.mark.parametrize("model", VARIANTS)
@pytest.mark.parametrize("name", GRIDS)
def test_a_mask_is_on_the_images_grid_and_what_ctvol_segment_gives(server, phantoms, segmented, voxels, name, model):
    file, said = server.client.infer(model, name, {"device": "cpu"})
    image, mask = nib.load(phantoms[name]), nib.load(file)
    assert mask.shape == image.shape
    np.testing.assert_allclose(mask.affine, image.affine, atol=1e-3)
    expected = voxels(segmented(phantoms[name], VARIANTS[model]))
    assert len(np.unique(expected)) > 1
    np.testing.assert_array_equal(np.asanyarray(mask.dataobj), expected)
    voxel_ml = abs(np.linalg.det(image.affine[:3, :3])) / 1000
    assert said["volume_ml"]["consolidation"] == pytest.approx((expected == 2).sum() * voxel_ml, abs=0.01)
    assert said["empty"] is False


def test_scores_of_slices_are_what_ctvol_classify_gives(server, phantoms, small_classifier, run_ctvol, tmp_path):
    nothing, said = server.client.infer("classification", "lps", {"device": "cpu"})
    said = said if isinstance(said, dict) else json.loads(said)
    assert nothing is None
    out = run_ctvol("classify", phantoms["lps"], "-o", tmp_path, "--bundle", small_classifier, "--device", "cpu")
    assert out.returncode == 0, out.stderr
    with (tmp_path / "predictions.csv").open(newline="") as file:
        rows = {row["slice"]: row for row in csv.DictReader(file) if row["predicted"]}
    assert len(rows) == len(said["slices"]) > 3
    for one in said["slices"]:
        row = rows[str(one["slice"])]
        assert one["predicted"] == row["predicted"]
        assert one["COVID"] == pytest.approx(float(row["p_COVID"]), abs=1e-5)
    with (tmp_path / "cases.csv").open(newline="") as file:
        (case,) = csv.DictReader(file)
    scores = {one["label"]: one["score"] for one in said["prediction"]}
    assert scores["COVID"] == pytest.approx(float(case["p_COVID"]), abs=1e-5)
    assert said["predicted"] == case["predicted"]


def test_batch_inference_does_the_others_when_one_fails(server, voxels, phantoms, segmented):
    answer = server.ask("POST", "/batch/infer/segmentation_3d?run_sync=true", json={"device": "cpu"})
    assert answer.status_code == 200, answer.text
    done = answer.json()
    assert set(done) == {*GRIDS, "cut"}
    assert "cut.nii.gz" in done["cut"]["error"]
    for name in GRIDS:
        saved = server.client.download_label(done[name]["label"], "original")
        np.testing.assert_array_equal(voxels(saved), voxels(segmented(phantoms[name])))


def test_what_is_wrong_has_a_status_and_a_reason_and_the_server_lives_on(server, client_module):
    wrong = {
        "/infer/nonsense?image=ras&output=image": (404, "there is no model 'nonsense'; there are segmentation_3d"),
        "/infer/segmentation_3d?image=nobody&output=image": (404, "nobody"),
        "/infer/segmentation_3d?image=cut&output=image": (422, "cut.nii.gz: "),
        "/batch/infer/nonsense?run_sync=true": (404, "there is no model"),
        "/train/nonsense": (404, "there is no model"),
    }
    for path, (status, reason) in wrong.items():
        answer = server.ask("POST", path)
        assert answer.status_code == status, path
        assert reason in answer.json()["detail"], path
        assert server.lives
    with pytest.raises(client_module.MONAILabelClientException) as refused:
        server.client.infer("segmentation_3d", "cut", {})
    assert "422" in refused.value.msg


def test_a_label_teaches_the_model_and_the_shipped_bundle_stays(server, phantoms, small_bundle, voxels):
    shipped = {path: digest(path) for path in sorted(small_bundle.rglob("*")) if path.is_file()}
    before, _ = server.client.infer("segmentation_3d", "ras", {"device": "cpu"})
    before = voxels(before)

    scored = server.ask("POST", "/scoring/uncertainty?run_sync=true", json={"device": "cpu"})
    assert scored.json() == {"unlabeled": 4, "scored": 3, "failed": 1}
    server.client.train_start("segmentation_3d", {"max_epochs": 1, "device": "cpu"})
    assert wait(server)["status"] == "ERROR"
    assert "no image has a final label yet" in "\n".join(server.client.train_status()["details"])

    first = server.client.next_sample("uncertainty", {})
    assert first["id"] in GRIDS
    scores = {image: one["uncertainty"] for image, one in infos(server).items()}
    assert scores["cut"] == 0
    assert first["uncertainty"] == max(scores.values()) > 0

    server.client.save_label(first["id"], str(phantoms[f"{first['id']} truth"]), "final", {})
    second = server.client.next_sample("uncertainty", {})["id"]
    assert second not in (first["id"], "cut")

    server.client.train_start("segmentation_3d", {"max_epochs": 1, "samples_per_epoch": 4, "device": "cpu"})
    status = wait(server)
    assert status["status"] == "DONE", "\n".join(status["details"])
    trained = server.app / "model" / "segmentation_3d.pt"
    fresh = torch.load(trained, weights_only=True)
    old = torch.load(small_bundle / "models" / "model.pt", weights_only=True)
    assert any(not torch.equal(fresh[name], old[name]) for name in old)
    for name in old:  # a few steps of a small rate away from the shipped ones: it began with them
        torch.testing.assert_close(fresh[name], old[name], atol=0.005, rtol=0)

    after, _ = server.client.infer("segmentation_3d", "ras", {"device": "cpu"})
    assert (voxels(after) != before).any()
    assert {path: digest(path) for path in sorted(small_bundle.rglob("*")) if path.is_file()} == shipped


def test_new_weights_answer_as_ctvol_segment_with_them(server, phantoms, segmented, voxels):
    trained = server.app / "model" / "segmentation_3d.pt"
    if not trained.exists():
        pytest.skip("nothing was trained before")
    file, _ = server.client.infer("segmentation_3d", "oblique", {"device": "cpu"})
    expected = segmented(phantoms["oblique"], "3d", "--weights", trained)
    np.testing.assert_array_equal(voxels(file), voxels(expected))


def test_an_empty_mask_is_an_answer(server, small_bundle, voxels):
    state = torch.load(small_bundle / "models" / "model_2_5d.pt", weights_only=True)
    last = [name for name in state if name.endswith("bias")][-1]
    state[last] = torch.tensor([50.0, 0.0, 0.0, 0.0])
    (server.app / "model").mkdir(exist_ok=True)
    torch.save(state, server.app / "model" / "segmentation_2_5d.pt")
    file, said = server.client.infer("segmentation_2_5d", "ras", {"device": "cpu"})
    assert not voxels(file).any()
    assert said["empty"] is True
    assert set(said["volume_ml"].values()) == {0.0}
    (server.app / "model" / "segmentation_2_5d.pt").unlink()


def test_the_program_of_the_page(server, tmp_path):
    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), flags=re.M | re.S)
    assert program.count("http://127.0.0.1:8000") == 1
    program = program.replace("http://127.0.0.1:8000", server.url)
    small = program.replace('{"max_epochs": 1}', '{"max_epochs": 1, "samples_per_epoch": 4, "device": "cpu"}')
    assert small != program
    before = server.client.info()["datastore"]["completed"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [PYTHON, "-P", "-c", small], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    status = wait(server)
    assert status["status"] == "DONE", "\n".join(status["details"])
    assert server.client.info()["datastore"]["completed"] == before + 1


def infos(server):
    """The server's records of its images."""
    content = server.client.datastore()["objects"]
    return {name: one["image"]["info"] for name, one in content.items()}


def wait(server):
    for _ in range(600):
        status = server.client.train_status()
        if status["status"] in ("DONE", "ERROR"):
            return status
        time.sleep(0.3)
    pytest.fail("the training did not end")
