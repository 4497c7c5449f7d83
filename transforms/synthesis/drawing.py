"""Draws the lesions of one patient: where they lie, how large and how dense they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from transforms.synthesis.lesions import Effusion, Kind, LesionPlan, LesionRanges, Opacity, Vector
from transforms.synthesis.lung_space import LungSpace

CANDIDATES = 20_000
"""Points of the lungs that centres are drawn from."""

Pair = tuple[float, float]


def draw_lesions(random: np.random.RandomState, space: LungSpace, ranges: LesionRanges) -> LesionPlan:
    """Draws lesions for the lungs of one CT: mostly near the pleura, in dependent and lower lung.

    At least one kind of lesion is drawn as long as one has a probability above 0.

    Args:
        random: What is drawn from.
        space: The lungs.
        ranges: What is drawn.
    """
    severity = random.uniform(*ranges.severity)
    present = _present(random, ranges)
    places = _Places(random, space, ranges)
    opacities: list[Opacity] = []
    if "ground_glass" in present:
        count = 1 + random.randint(1 + int(10 * severity))
        haze = [_opacity(random, places, ranges, "ground_glass", severity) for _ in range(count)]
        opacities += haze
        opacities += [_core(random, ranges, each) for each in haze if random.uniform() < ranges.cores]
    if "consolidation" in present:
        count = 1 + random.randint(1 + int(6 * severity))
        opacities += [_opacity(random, places, ranges, "consolidation", severity) for _ in range(count)]
    effusions = _effusions(random, places.sides, ranges, severity) if "pleural_effusion" in present else ()
    return LesionPlan(opacities=tuple(opacities), effusions=effusions, seed=int(random.randint(2**31 - 1)))


def _present(random: np.random.RandomState, ranges: LesionRanges) -> set[str]:
    """The kinds of lesions of one patient."""
    chance = {
        "ground_glass": ranges.ground_glass,
        "consolidation": ranges.consolidation,
        "pleural_effusion": ranges.pleural_effusion,
    }
    drawn = {kind for kind, share in chance.items() if random.uniform() < share}
    weights = np.array(list(chance.values()))
    if drawn or not weights.any():
        return drawn
    return {list(chance)[random.choice(len(weights), p=weights / weights.sum())]}


class _Places:
    """Points in the lungs, and how likely a lesion is to lie there."""

    def __init__(self, random: np.random.RandomState, space: LungSpace, ranges: LesionRanges) -> None:
        inside = np.flatnonzero(space.sides)
        chosen = inside[random.randint(len(inside), size=min(CANDIDATES, len(inside)))]
        self.depth = space.depth_mm.ravel()[chosen]
        self.side = space.sides.ravel()[chosen]
        self.sides = sorted({int(side) for side in self.side})
        index = np.stack(np.unravel_index(chosen, space.sides.shape))
        self.points: NDArray[np.float64] = (space.lattice.affine[:3, :3] @ index).T + space.lattice.affine[:3, 3]
        down = _standardised(self.points @ (np.asarray(ranges.gravity) / np.linalg.norm(ranges.gravity)))
        low = _standardised(-self.points[:, 2])
        weight = np.exp(-self.depth / random.uniform(6, 30) + random.uniform(0, 0.7) * (down + low))
        self.weight = weight / weight.sum()


def _standardised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((values - values.mean()) / max(float(values.std()), 1e-6))


def _opacity(
    random: np.random.RandomState, places: _Places, ranges: LesionRanges, kind: Kind, severity: float
) -> Opacity:
    chosen = random.choice(len(places.weight), p=places.weight)
    smallest, largest = ranges.radius_mm
    radius = random.uniform(smallest, smallest + (largest - smallest) * max(severity, 0.15))
    x, y, z = places.points[chosen]
    reach = random.uniform(*ranges.reach_mm) if random.uniform() < ranges.peripheral else np.inf
    density = ranges.ground_glass_density if kind == "ground_glass" else ranges.consolidation_density
    return Opacity(
        kind=kind,
        side=int(places.side[chosen]),
        centre=(float(x), float(y), float(z)),
        half_axes=_scaled((1.0, random.uniform(0.55, 1.0), random.uniform(0.7, 1.3)), radius),
        rotation=Rotation.from_rotvec(random.normal(0, 0.6, 3)).as_matrix(),
        reach_mm=float(max(reach, 1.6 * places.depth[chosen])),
        density=float(random.uniform(*density)),
        tissue_hu=float(random.uniform(*ranges.tissue_hu)),
    )


def _core(random: np.random.RandomState, ranges: LesionRanges, halo: Opacity) -> Opacity:
    """Consolidation in the middle of ground glass."""
    return Opacity(
        kind="consolidation",
        side=halo.side,
        centre=halo.centre,
        half_axes=_scaled(halo.half_axes, random.uniform(0.3, 0.65)),
        rotation=halo.rotation,
        reach_mm=halo.reach_mm * 0.8,
        density=float(random.uniform(*ranges.consolidation_density)),
        tissue_hu=float(random.uniform(*ranges.tissue_hu)),
    )


def _scaled(axes: Vector, factor: float) -> Vector:
    x, y, z = (float(axis * factor) for axis in axes)
    return x, y, z


def _effusions(
    random: np.random.RandomState, sides: list[int], ranges: LesionRanges, severity: float
) -> tuple[Effusion, ...]:
    """Fluid on both sides in four patients of ten."""
    chosen = sides if random.uniform() < 0.4 else [sides[random.randint(len(sides))]]
    thin, thick = ranges.thickness_mm
    return tuple(
        Effusion(
            side=side,
            thickness_mm=float(random.uniform(thin, thin + (thick - thin) * max(severity, 0.2))),
            rise=float(random.uniform(0.25, 0.5 + 0.45 * severity)),
            height=float(random.uniform(0.25, 0.55 + 0.45 * severity)),
            fluid_hu=float(random.uniform(*ranges.fluid_hu)),
        )
        for side in chosen
    )
