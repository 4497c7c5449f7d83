"""The segmentation bundle in MONAI Label's own app for bundles, unchanged."""

import os
import shutil
import subprocess

import nibabel as nib
import numpy as np
import pytest

from tests.acceptance.label.conftest import GRIDS, PYTHON

pytestmark = pytest.mark.service


def test_the_stock_app_runs_the_bundle(serve, studies, small_bundle, phantoms, segmented, tmp_path):
    command = [PYTHON, "-P", "-m", "monailabel.main", "apps", "--download", "--name", "monaibundle"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([*command, "--output", tmp_path], env=environment, cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stderr
    app = tmp_path / "monaibundle"
    shutil.copytree(small_bundle, app / "model" / small_bundle.name)
    with serve(app, studies, tmp_path, "models", small_bundle.name, "zoo_source", "local") as server:
        assert set(server.client.info()["models"]) == {small_bundle.name}
        for name in GRIDS:
            file, _ = server.client.infer(small_bundle.name, name, {"device": "cpu"})
            image, mask, expected = nib.load(phantoms[name]), nib.load(file), nib.load(segmented(phantoms[name]))
            assert mask.shape == image.shape
            np.testing.assert_allclose(mask.affine, image.affine, atol=1e-3)
            same = np.asanyarray(mask.dataobj) == np.asanyarray(expected.dataobj)
            assert same.mean() > 0.9999, name  # another memory format of the weights: a voxel on the edge may differ
