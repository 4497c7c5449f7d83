"""Targets of classifiers, their loss, and balanced samples."""

from collections import Counter

import pytest
import torch
from monai.transforms import Compose

from pipeline.training import BalancedSampler, SampleDataset, SoftTargets, classification_loss, slice_sampler
from transforms.errors import DataListError, SettingError


def batch(size=8):
    torch.manual_seed(0)
    return {"image": torch.rand(size, 1, 4, 4), "label": torch.arange(size) % 2}


def test_plain_targets_are_one_hot():
    images, targets = SoftTargets(3)(batch(), "cpu")
    assert torch.equal(images, batch()["image"])
    assert targets.tolist()[:2] == [[1, 0, 0], [0, 1, 0]]


def test_smoothing_spreads_a_share():
    _, targets = SoftTargets(2, label_smoothing=0.2)(batch(), "cpu")
    assert targets[0].tolist() == pytest.approx([0.9, 0.1])
    _, one = SoftTargets(2, label_smoothing=0.2, one_logit=True)(batch(), "cpu")
    assert one[:2, 0].tolist() == pytest.approx([0.1, 0.9])


def test_mixup_mixes_images_and_targets_alike_and_repeats_with_the_seed():
    plain = batch()
    plain["image"] = plain["label"].float()[:, None, None, None].expand(-1, 1, 4, 4).clone()
    runs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        runs.append(SoftTargets(2, mixup=0.4)(plain, "cpu"))
    for images, targets in runs:
        torch.testing.assert_close(images[:, 0, 0, 0], targets[:, 1])
        assert ((targets > 0.001) & (targets < 0.999)).any()
    assert torch.equal(runs[0][0], runs[1][0])
    assert not torch.equal(runs[0][0], runs[2][0])


def test_losses_of_one_and_of_two_logits_agree():
    logit = torch.tensor([[0.3], [-1.2]])
    weights = torch.tensor([0.5, 2.0])
    pair, target = torch.cat([torch.zeros_like(logit), logit], 1), torch.tensor([[0.2, 0.8], [1.0, 0.0]])
    one, two = classification_loss(True)(logit, target[:, 1:]), classification_loss(False)(pair, target)
    torch.testing.assert_close(one, two)
    positive = classification_loss(True, weights)(logit[:1], torch.ones(1, 1))
    torch.testing.assert_close(positive, 4 * classification_loss(True)(logit[:1], torch.ones(1, 1)))


def test_settings_that_cannot_be_are_refused():
    for arguments in (
        {"classes": 3, "one_logit": True},
        {"classes": 2, "mixup": -1},
        {"classes": 2, "label_smoothing": 1},
    ):
        with pytest.raises(SettingError):
            SoftTargets(**arguments)


def data(labels):
    return SampleDataset([{"label": label} for label in labels], Compose([]), cache_rate=0)


def test_classes_come_in_turn_and_every_case_of_each():
    dataset = data([0] * 9 + [1] * 3)
    sampler = BalancedSampler(dataset, 18, seed=3)
    cases = [index % 12 for index in sampler]
    assert Counter(case >= 9 for case in cases) == {False: 9, True: 9}
    assert sorted(case for case in cases if case < 9) == list(range(9))
    assert Counter(case for case in cases if case >= 9) == {9: 3, 10: 3, 11: 3}
    assert [index // 12 for index in sampler] == list(range(18))


def test_processes_share_an_epoch_and_epochs_differ():
    dataset = data([0] * 9 + [1] * 3)
    whole = list(BalancedSampler(dataset, 8, seed=3, rank=0, world_size=1))
    parts = [list(BalancedSampler(dataset, 8, seed=3, rank=rank, world_size=2)) for rank in (0, 1)]
    assert sorted(parts[0] + parts[1]) == sorted(whole)
    later = BalancedSampler(dataset, 8, seed=3)
    later.set_epoch(1)
    assert not set(later) & set(whole)


def test_one_class_cannot_be_balanced():
    with pytest.raises(DataListError, match="one class"):
        slice_sampler(data([1, 1]))
    assert len(slice_sampler(data([1, 1]), balanced=False)) == 2
