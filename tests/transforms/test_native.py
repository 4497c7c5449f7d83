"""The volume as read stays beside the one that is processed, without a copy."""

import torch

from transforms import KeepNatived


def test_the_volume_is_kept_by_reference():
    data = {"image": torch.zeros(1, 2, 2, 2)}
    kept = KeepNatived("image", "native")(data)
    assert kept["native"] is data["image"]
    assert kept["image"] is data["image"]
    assert "native" not in data
