"""Images cropped around their lesions: planned, trained, measured and segmented with the place in the image."""

import json

import nibabel as nib
import numpy as np
import pytest
import yaml

TINY = {"network_def#channels": [4, 8, 16], "network_def#strides": [2, 2]}


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    """Four crops of soft tissue with a ball of a lesion 40 mm from every side of the image."""
    folder = tmp_path_factory.mktemp("crops")
    rng = np.random.default_rng(0)
    spacing = np.array([4.0, 4.0, 5.0])
    shape = np.array([30, 30, 24])
    centres = [(np.arange(n) + 0.5) * step - n * step / 2 for n, step in zip(shape, spacing, strict=True)]
    lesion = sum(grid**2 for grid in np.meshgrid(*centres, indexing="ij")) <= 20**2
    for name in "abcd":
        hu = rng.normal(40, 10, shape).astype(np.int16)
        for kind, array in (("image", hu), ("label", lesion.astype(np.uint8))):
            nib.save(nib.Nifti1Image(array, np.diag([*spacing, 1.0])), folder / f"{name}_{kind}.nii.gz")
    item = {name: {kind: f"{name}_{kind}.nii.gz" for kind in ("image", "label")} for name in "abcd"}
    listed = {"labels": {"0": "background", "1": "tumour"}, "training": [item[name] for name in "abc"]}
    (folder / "dataset.json").write_text(json.dumps(listed | {"validation": [item["d"]]}))
    return folder


@pytest.mark.slow
def test_crops_are_planned_trained_and_segmented(run_ctvol, run_bundle, bundle, train, label_map, crops, tmp_path):
    overlay = tmp_path / "planned.yaml"
    result = run_ctvol("plan", crops, "-o", overlay, "--device", "cpu")
    assert result.returncode == 0, result.stderr
    assert yaml.safe_load(overlay.read_text())["place_margin_mm"] == 40
    name = str(overlay)[: -len(".yaml")]
    own = {"max_epochs": 8, "val_interval": 8, "samples_per_epoch": 16, "learning_rate": 0.01, "ema_momentum": 0.1}
    result = train(crops, tmp_path / "run", name, **own)
    assert result.returncode == 0, result.stderr
    keys = TINY | {"weights": tmp_path / "run" / "best.pt", "spacing_mm": [5, 5, 5], "patch_size": [32, 32, 32]}
    for mode in ("fast", "exact"):
        out = tmp_path / mode
        study = keys | {"dataset_dir": crops / "d_image.nii.gz", "output_dir": out, "mode": mode, "write": ["nifti"]}
        result = run_bundle(bundle, f"inference {name}", study)
        assert result.returncode == 0, result.stderr
        written = json.loads((out / "d_image" / "provenance.json").read_text())
        assert written["options"]["place_margin_mm"] == 40
        # Nothing but its place tells the lesion from the tissue around it.
        found, true = (label_map(path) > 0 for path in (out / "d_image" / "labels.nii.gz", crops / "d_label.nii.gz"))
        assert 2 * (found & true).sum() / (found.sum() + true.sum()) > 0.7


def test_slabs_are_refused_a_place_in_the_image(train, segment, message, crops, tmp_path):
    settings = {"place_margin_mm": 40.0, "region": "all"}
    trained = train(crops, tmp_path / "run", "unet_2_5d", classes={"background": 0, "tumour": 1}, **settings)
    segmented = segment(crops / "d_image.nii.gz", tmp_path / "out", "unet_2_5d", **settings)
    for result in (trained, segmented):
        assert result.returncode == 2
        assert "slabs have no channel" in message(result)
        assert "place_margin_mm" in message(result)
