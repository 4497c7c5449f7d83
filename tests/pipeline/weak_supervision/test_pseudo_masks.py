"""A data set of pseudo-masks: its list, its files, and what has none."""

import json

import nibabel as nib
import numpy as np
import pytest
import torch
from torch import nn

from pipeline.cohorts.evaluator import CasesFailedError
from pipeline.datasets import load_datalist
from pipeline.inference.slices import SliceInferer
from pipeline.weak_supervision import LesionRefinement, PseudoMasks
from transforms.anatomy import native_lungs
from transforms.errors import DataListError
from transforms.slices import lung_slices, read_stack


class Everywhere(nn.Module):
    """Says the second class of every slice, for all of it alike."""

    def __init__(self):
        super().__init__()
        self.features = nn.Conv2d(1, 1, 1)
        with torch.no_grad():
            self.features.weight.fill_(0.0)
            self.features.bias.fill_(1.0)

    def forward(self, image):
        mean = self.features(image).mean(dim=(2, 3))
        return torch.cat([-mean, mean], dim=1)


def write(items, out):
    maker = PseudoMasks(out, {"image_size": [64, 64]}, SliceInferer())
    return maker.run(items, Everywhere().eval(), "features")


def test_volumes_of_the_first_class_have_empty_masks_and_the_others_those_of_dense_lung(phantom, phantom_ct, tmp_path):
    image = str(phantom_ct)
    ill = {"case": "ill", "image": image, "label": 1, "group": "p1"}
    copy = tmp_path / "healthy.nii.gz"
    copy.write_bytes(phantom_ct.read_bytes())
    healthy = {"case": "healthy", "image": str(copy), "label": 0, "group": str(copy)}
    listing = write({"training": [ill], "validation": [healthy]}, tmp_path / "out")
    content = json.loads(listing.read_text())
    assert content["training"][0]["patient"] == "p1"
    (found,) = load_datalist(tmp_path / "out", "training", labelled=True)
    mask = nib.load(found["label"])
    np.testing.assert_allclose(mask.affine, phantom.affine, atol=1e-4)
    values, truth = np.asarray(mask.dataobj), phantom.labels > 0
    lungs = native_lungs(phantom.hu, phantom.affine)
    shown = np.zeros(values.shape, dtype=bool)
    shown[:, :, lung_slices(read_stack(phantom_ct))] = True
    np.testing.assert_array_equal(values, LesionRefinement()(shown, phantom.hu, lungs, [4.0, 4.0, 6.0]))
    assert (truth & (values > 0)).sum() / truth.sum() > 0.5
    (found,) = load_datalist(tmp_path / "out", "validation", labelled=True)
    assert not np.asarray(nib.load(found["label"]).dataobj).any()


def test_a_volume_that_cannot_be_read_keeps_none_of_the_others(phantom_ct, tmp_path, caplog):
    broken = tmp_path / "broken.nii.gz"
    broken.write_bytes(phantom_ct.read_bytes()[:1000])
    items = [
        {"case": name, "image": str(path), "label": label, "group": name}
        for name, path, label in (("broken", broken, 1), ("healthy", phantom_ct, 0))
    ]
    with pytest.raises(CasesFailedError, match="1 of 2 cases failed: broken"):
        write({"training": items}, tmp_path / "out")
    assert [item["case"] for item in load_datalist(tmp_path / "out", "training", validation_fraction=0)] == ["healthy"]
    assert "case broken failed: " in caplog.text


def test_pictures_alone_are_refused(tmp_path):
    with pytest.raises(DataListError, match="no volume"):
        write({"training": [{"case": "a", "image": "a.png", "label": 1, "group": "a.png"}]}, tmp_path)
