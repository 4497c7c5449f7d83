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


def with_lower_half_consolidated(spec: PhantomSpec, side: int = 2) -> Phantom:
    """One lung holds no air in its lower half, up to the chest wall, the heart and the diaphragm."""
    scene = build_scene(spec)
    x, _, z = scene.points
    outwards = (x + 4) * (1 if side == 2 else -1)
    lung = (scene.fields["lungs"] < 0) & (outwards > 0)
    scene.fields["consolidation"] = np.maximum(z - np.median(z[lung]), -outwards).astype(np.float32)
    return render(scene, spec)


@pytest.mark.parametrize("spec", [HEALTHY, DISEASED, CONSOLIDATED], ids=["healthy", "diseased", "consolidated"])
def test_each_lung_of_a_phantom(spec):
    left, right = dices(make_phantom(spec))
    assert left >= 0.98
    assert right >= 0.98


@pytest.mark.parametrize(("side", "least"), [(2, 0.965), (1, 0.93)], ids=["right", "left"])
def test_half_a_lung_consolidated(side, least):
    phantom = with_lower_half_consolidated(HEALTHY, side)
    found = native_lungs(phantom.hu, phantom.affine)
    other = 3 - side
    assert _dice(found == other, phantom.lungs == other) >= 0.98
    assert _dice(found == side, phantom.lungs == side) >= least
    aerated = (phantom.lungs == side) & (phantom.hu < -600)
    assert (found[aerated] == side).mean() >= 0.98


def _dice(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    return float(2 * (found & truth).sum() / (found.sum() + truth.sum()))


if __name__ == "__main__":
    chests = {name: make_phantom(spec) for name, spec in (("healthy", HEALTHY), ("consolidated", CONSOLIDATED))}
    for side, name in ((2, "right"), (1, "left")):
        chests[f"lower half of the {name} lung consolidated"] = with_lower_half_consolidated(HEALTHY, side)
    for name, chest in chests.items():
        print(name, *(round(dice, 4) for dice in dices(chest)))  # noqa: T201
