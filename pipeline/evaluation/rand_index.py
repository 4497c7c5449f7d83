"""The adjusted Rand index of two masks, from how many voxels they have in common."""

from __future__ import annotations


def adjusted_rand(both: int, pred: int, truth: int, voxels: int) -> float:
    """The adjusted Rand index (Hubert and Arabie 1985) of two masks of the same volume.

    It asks of all pairs of voxels whether both masks put them together or apart, less what chance would give: 1 for
    equal masks, about 0 for unrelated ones. The same as scikit-learn's `adjusted_rand_score`, which would sort the
    voxels of a whole volume for it.

    Args:
        both: Voxels in both masks.
        pred: Voxels in the one.
        truth: Voxels in the other.
        voxels: Of the volume.

    Example:
        >>> adjusted_rand(both=4, pred=4, truth=4, voxels=20)
        1.0
        >>> adjusted_rand(both=0, pred=4, truth=0, voxels=20)
        0.0
    """
    table = (both, pred - both, truth - both, voxels - pred - truth + both)
    # Python's whole numbers: the squares of pairs of 10⁸ voxels do not fit into 64 bits.
    together = sum(count * (count - 1) for count in table)
    in_pred = pred * (pred - 1) + (voxels - pred) * (voxels - pred - 1)
    in_truth = truth * (truth - 1) + (voxels - truth) * (voxels - truth - 1)
    every = voxels * (voxels - 1)
    if in_pred == in_truth == every:
        return 1.0  # both are one piece: all full or all empty
    expected = in_pred * in_truth / every if every else 0.0
    most = (in_pred + in_truth) / 2
    return (together - expected) / (most - expected) if most != expected else 1.0
