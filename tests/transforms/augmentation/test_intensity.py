"""Changes of values: what is drawn first and applied after is what MONAI's transforms do."""

import numpy as np
import pytest
import torch
from monai.transforms import AdjustContrast, Compose, GaussianSmooth, ScaleIntensity, ShiftIntensity

from transforms.augmentation import IntensityChanges, IntensityRanges

IMAGE = torch.rand((2, 12, 10, 8), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"factor": 1.1}, ScaleIntensity(minv=None, maxv=None, factor=0.1)),
        ({"offset": -0.04}, ShiftIntensity(-0.04)),
        ({"gamma": 0.8}, AdjustContrast(0.8)),
        ({"sigma": (0.4, 0.7, 1.0)}, GaussianSmooth((0.4, 0.7, 1.0))),
    ],
    ids=["factor", "offset", "gamma", "sigma"],
)
def test_each_change_is_that_of_monai(changes, expected):
    torch.testing.assert_close(IntensityChanges(**changes).apply(IMAGE), torch.as_tensor(expected(IMAGE)))


def test_noise_has_its_strength_and_its_seed():
    one, other = (IntensityChanges(noise=0.2, noise_seed=seed).apply(IMAGE) for seed in (1, 2))
    assert float((one - IMAGE).std()) == pytest.approx(0.2, rel=0.1)
    assert not torch.equal(one, other)
    assert torch.equal(one, IntensityChanges(noise=0.2, noise_seed=1).apply(IMAGE))


def test_nothing_drawn_changes_nothing():
    assert torch.equal(IntensityChanges().apply(IMAGE), IMAGE)
    assert torch.equal(Compose(IntensityRanges(probs=(0,) * 5).transforms("image"))({"image": IMAGE})["image"], IMAGE)


def test_draws_are_distributed_as_those_of_monai():
    """Moments of what is left of a constant image and of a gradient, over many samples of both ways."""
    ranges = IntensityRanges(scale=0.5, shift=0.5, noise=0.5)
    image = torch.linspace(0, 1, 64).reshape(1, 4, 4, 4)
    random = np.random.RandomState(0)
    drawn = torch.stack([ranges.draw(random).apply(image) for _ in range(1500)])
    chain = Compose(ranges.transforms("image")).set_random_state(seed=1)
    monai = torch.stack([torch.as_tensor(chain({"image": image})["image"]) for _ in range(1500)])
    for moment in (
        lambda samples: samples.mean((1, 2, 3, 4)).std(),
        lambda samples: samples.std((1, 2, 3, 4)).mean(),
        lambda samples: samples.std((1, 2, 3, 4)).std(),
        lambda samples: (samples - image).abs().flatten(1).amax(1).mean(),
    ):
        assert float(moment(drawn)) == pytest.approx(float(moment(monai)), rel=0.1)


@pytest.mark.gpu
def test_a_gpu_changes_values_as_a_processor_does():
    changes = IntensityChanges(factor=1.1, offset=0.02, gamma=0.9, sigma=(0.4, 0.7, 1.0))
    torch.testing.assert_close(changes.apply(IMAGE.cuda()).cpu(), changes.apply(IMAGE), atol=1e-3, rtol=0)
    noisy = IntensityChanges(noise=0.2).apply(IMAGE.cuda())
    assert float((noisy.cpu() - IMAGE).std()) == pytest.approx(0.2, rel=0.1)
