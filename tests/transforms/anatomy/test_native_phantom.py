"""Lungs of whole synthetic chests, whose truth is known to the voxel; `python FILE` prints the figures."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.phantom.rendering import Phantom, make_phantom, render
from pipeline.phantom.scene import build_scene
from pipeline.phantom.spec import PhantomSpec
from transforms.anatomy import native_lungs

SPACING = (1.4, 1.4, 2.8)
HEALTHY = PhantomSpec(seed=101, spacing_mm=SPACING, lesions=())
DISEASED = PhantomSpec(seed=102, spacing_mm=SPACING, severity=0.5)
CONSOLIDATED = PhantomSpec(seed=104, spacing_mm=SPACING, lesions=("consolidation",), severity=0.8)

pytestmark = pytest.mark.slow


def dices(phantom: Phantom) -> tuple[float, float]:
    found = native_lungs(phantom.hu, phantom.affine)
    left, right = (_dice(found == side, phantom.lungs == side) for side in (1, 2))
    return left, right


def with_lower_half_consolidated(spec: PhantomSpec) -> Phantom:
    """The right lung holds no air in its lower half, up to the chest wall, the heart and the diaphragm."""
    scene = build_scene(spec)
    x, _, z = scene.points
    right = (scene.fields["lungs"] < 0) & (x > -4)
    scene.fields["consolidation"] = np.maximum(z - np.median(z[right]), -(x + 4)).astype(np.float32)
    return render(scene, spec)


@pytest.mark.parametrize("spec", [HEALTHY, DISEASED, CONSOLIDATED], ids=["healthy", "diseased", "consolidated"])
def test_each_lung_of_a_phantom(spec):
    left, right = dices(make_phantom(spec))
    assert left >= 0.98
    assert right >= 0.98


def test_half_a_lung_consolidated_does_not_harm_what_is_left():
    phantom = with_lower_half_consolidated(HEALTHY)
    found = native_lungs(phantom.hu, phantom.affine)
    assert _dice(found == 1, phantom.lungs == 1) >= 0.98
    aerated = (phantom.lungs == 2) & (phantom.hu < -600)
    assert (found[aerated] == 2).mean() >= 0.98
    assert ((found == 2) & (phantom.lungs != 2)).sum() <= 0.02 * (phantom.lungs == 2).sum()


def _dice(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    return float(2 * (found & truth).sum() / (found.sum() + truth.sum()))


if __name__ == "__main__":
    chests = {name: make_phantom(spec) for name, spec in (("healthy", HEALTHY), ("consolidated", CONSOLIDATED))}
    chests["half a lung consolidated"] = with_lower_half_consolidated(HEALTHY)
    for name, chest in chests.items():
        print(name, *(round(dice, 4) for dice in dices(chest)))  # noqa: T201
