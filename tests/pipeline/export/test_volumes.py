"""The volume of each class is that of its voxels, however many slices there are."""

import numpy as np
import pytest

from pipeline.export.volumes import volumes_alone


@pytest.mark.parametrize("slices", [1, 31, 32, 70])
def test_voxels_of_each_class_are_counted(slices):
    generator = np.random.default_rng(slices)
    labels = generator.integers(0, 4, (7, 5, slices), dtype=np.uint8)
    found = volumes_alone(labels, np.diag([2.0, 1.0, 5.0, 1.0]), {"background": 0, "one": 1, "three": 3})
    expected = {"one": (labels == 1).sum() * 0.01, "three": (labels == 3).sum() * 0.01}
    assert {name: one.volume_ml for name, one in found.lesions.items()} == pytest.approx(expected)
