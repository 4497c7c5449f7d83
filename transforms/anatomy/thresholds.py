"""Hounsfield units that tell air, lung and tissue apart, and the smallest sizes that count."""

from __future__ import annotations

AIR_HU = -1000.0
"""Air, by the definition of the Hounsfield scale; nothing in a patient is below it."""

PADDING_HU = -1100.0
"""What is below is no measurement: scanners fill the corners outside the field of view with −2000 or −3024."""

TISSUE_HU = -400.0
"""Between aerated lung (about −860, Hu, Hoffman and Reinhardt 2001) and soft tissue (about 0); above the midpoint, so
that ground glass (−700 to −400 in most definitions) counts as lung, and still clear of fat at −100. Foam of tables and
clothes is below."""

GAS_HU = -960.0
"""A part whose core has a median below it is free gas (gut, the gap between arm and chest), not lung: a lung at full
breath is near −860, one with severe emphysema near −920, although more than a third of it is then below −950 (Gevenois
1996)."""

MIN_BESIDE_GAS_ML = 200.0
"""So much lung deep in a part makes all of it lung, whatever gas is with it: a giant bulla, the air of a pneumothorax.
Gut holds next to nothing between gas and tissue."""

MASK_RANGE_HU = (AIR_HU, 1000.0)
"""Masks are found in this range: what is denser or padded would only spoil the smoothing."""

SMOOTHING_MM = 1.6
"""Standard deviation of the Gaussian that quietens noise of thin slices and sharp kernels (100 HU and more)."""

MIN_LUNG_ML = 40.0
"""A smaller part is not counted as lung: windpipe, sinuses and most loops of gut are smaller or narrower."""

MIN_LUNG_DEPTH_MM = 8.0
"""The farthest that a lung's voxel lies from its surface is at least this; loops of gut and sinuses are narrower."""
