"""A planned overlay serves training, evaluation and inference as it is."""

import pytest
import yaml


@pytest.mark.slow
def test_a_planned_overlay_trains_evaluates_and_segments(
    run_ctvol, train, run_bundle, bundle, study, data_set, tmp_path
):
    overlay = tmp_path / "planned.yaml"
    result = run_ctvol("plan", data_set, "-o", overlay, "--device", "cpu")
    assert result.returncode == 0, result.stderr
    planned = yaml.safe_load(overlay.read_text())
    assert (planned["region"], planned["spacing_mm"]) == ("lungs", [4.0, 4.0, 6.0])
    assert list(planned["classes"]) == ["background", "ground_glass", "consolidation", "pleural_effusion"]
    # On the command line stands what makes the network tiny, and nothing that was planned.
    own = {key: planned[key] for key in ("spacing_mm", "patch_size")}
    result = train(data_set, tmp_path / "run", str(overlay)[: -len(".yaml")], max_epochs=1, **own)
    assert result.returncode == 0, result.stderr
    keys = {"network_def#channels": [4, 8, 16], "network_def#strides": [2, 2], "weights": tmp_path / "run" / "best.pt"}
    overlay_name = str(overlay)[: -len(".yaml")]
    for configs, data, out in (
        (f"train {overlay_name} evaluate", data_set, "scores"),
        (f"inference {overlay_name}", study["nifti"].ct, "out"),
    ):
        result = run_bundle(bundle, configs, keys | {"dataset_dir": data, "output_dir": tmp_path / out})
        assert result.returncode == 0, result.stderr
    assert (tmp_path / "scores" / "report.html").is_file()
    assert (tmp_path / "out" / "ct" / "labels.nii.gz").is_file()
