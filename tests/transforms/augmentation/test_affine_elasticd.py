"""The training patch: where it lies, and that image and label stay together."""

import pickle

import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset, MetaTensor, set_track_meta
from monai.transforms import Compose, Invertd, RandFlipd

from transforms.augmentation import DeformationRanges, RandAffineElastic, RandAffineElasticd
from transforms.errors import GeometryError, SettingError

STRONG = DeformationRanges(elastic_mm=8, elastic_spacing_mm=20)


def test_image_and_label_stay_together(with_indices):
    transform = RandAffineElasticd(["image", "label"], (24, 24, 24), ranges=DeformationRanges())
    for seed in range(10):
        out = transform.set_random_state(seed=seed)(with_indices)
        assert out["image"].shape == out["label"].shape == (1, 24, 24, 24)
        assert out["label"].dtype == torch.uint8
        assert "label_cls_indices" not in out
        inside = out["image"].as_tensor() > 0.5
        assert (inside != (out["label"].as_tensor() == 1)).float().mean() < 0.02


def test_patches_show_the_foreground_as_often_as_asked(with_indices):
    transform = RandAffineElasticd(["image", "label"], (12, 12, 12), foreground=1.0, jitter=0.5)
    hits = [bool(transform.set_random_state(seed=seed)(with_indices)["label"].any()) for seed in range(30)]
    assert all(hits)
    rare = RandAffineElasticd(["image", "label"], (12, 12, 12), foreground=0.0)
    assert not all(bool(rare.set_random_state(seed=seed)(with_indices)["label"].any()) for seed in range(30))


def test_the_same_seed_gives_the_same_patch(with_indices):
    transform = RandAffineElasticd(["image", "label"], (16, 16, 16), ranges=STRONG)
    first = transform.set_random_state(seed=5)(with_indices)["image"]
    other = transform(with_indices)["image"]
    assert not torch.equal(first, other)
    assert torch.equal(first, transform.set_random_state(seed=5)(with_indices)["image"])


def test_array_and_dictionary_forms_draw_the_same(pair):
    by_key = RandAffineElasticd(["image", "label"], (16, 16, 16), ranges=STRONG).set_random_state(seed=3)(pair)
    transform = RandAffineElastic((16, 16, 16), ranges=STRONG).set_random_state(seed=3)
    assert torch.equal(transform(pair["image"]), by_key["image"])
    assert torch.equal(transform(pair["label"], mode="nearest", randomize=False), by_key["label"])


def test_what_was_drawn_can_be_looked_at_before_it_is_applied(pair):
    transform = RandAffineElastic((8, 8, 8), ranges=STRONG).set_random_state(seed=0)
    with pytest.raises(SettingError, match="randomize"):
        transform(pair["image"], randomize=False)
    transform.randomize(pair["image"])
    assert transform.warp.deformation.control_mm.shape[0] == 3
    assert transform(pair["image"], randomize=False).shape == (1, 8, 8, 8)


def test_any_number_of_keys_and_modes(pair):
    data = {**pair, "second": pair["image"].clone(), "weights": MetaTensor(torch.rand((3, 40, 36, 30)))}
    transform = RandAffineElasticd(
        ["image", "second", "label", "weights", "absent"],
        mode=["linear", "nearest", "nearest", "bilinear", "linear"],
        ranges=STRONG,
        allow_missing_keys=True,
    )
    out = transform.set_random_state(seed=0)(data)
    assert out["weights"].shape == (3, 40, 36, 30)
    assert set(out["second"].unique().tolist()) <= {0.0, 0.25, 0.75}
    with pytest.raises(KeyError, match="absent"):
        RandAffineElasticd(["image", "absent"])(data)


def test_without_a_patch_size_the_whole_volume_is_deformed(pair):
    out = RandAffineElasticd(["image", "label"], ranges=STRONG, prob=0.0)(pair)
    assert torch.equal(out["image"], pair["image"])
    torch.testing.assert_close(out["image"].affine, pair["image"].affine)


def test_a_share_of_the_patches_stays_straight(pair):
    transform = RandAffineElastic((8, 8, 8), ranges=STRONG, prob=0.3).set_random_state(seed=0)
    straight = []
    for _ in range(100):
        transform.randomize(pair["image"])
        straight.append(transform.warp.is_crop)
    assert 55 < sum(straight) < 85


def test_slabs_are_deformed_alike_in_every_slice():
    shape = (48, 48, 9)
    slice_image = torch.rand((1, 48, 48, 1), generator=torch.Generator().manual_seed(0))
    volume = slice_image.expand(1, *shape) + torch.arange(9) * 10
    data = {"image": MetaTensor(volume.contiguous(), affine=torch.eye(4, dtype=torch.float64))}
    ranges = DeformationRanges(in_plane=True)
    transform = RandAffineElasticd("image", (32, 32, 3), ranges=ranges, indices_key=None, mode="linear")
    out = transform.set_random_state(seed=1)(data)
    inner = out["image"][0, 8:24, 8:24].as_tensor()
    torch.testing.assert_close(inner[..., 1] - inner[..., 0], torch.full((16, 16), 10.0), atol=1e-3, rtol=0)
    torch.testing.assert_close(inner[..., 2] - inner[..., 1], torch.full((16, 16), 10.0), atol=1e-3, rtol=0)


def test_the_affine_says_where_a_straight_patch_was(pair):
    pair["image"] = MetaTensor(torch.arange(40.0 * 36 * 30).reshape(1, 40, 36, 30), affine=pair["image"].affine)
    out = RandAffineElasticd(["image", "label"], (10, 10, 10), indices_key=None).set_random_state(seed=3)(pair)
    start = torch.linalg.solve(pair["image"].affine, out["image"].affine)[:3, 3].round().long()
    expected = pair["image"][(0, *start.tolist())]
    assert float(out["image"][0, 0, 0, 0]) == pytest.approx(float(expected))


def test_volumes_of_different_shapes_are_refused(pair):
    pair["label"] = pair["label"][:, :-1]
    with pytest.raises(GeometryError, match="label"):
        RandAffineElasticd(["image", "label"], (8, 8, 8))(pair)
    with pytest.raises(GeometryError, match="three axes"):
        RandAffineElastic()(torch.zeros((1, 8, 8)))


@pytest.mark.parametrize(
    "wrong", [{"patch_size": (8, 8)}, {"mode": "cubic"}, {"prob": 1.5}, {"foreground": -1}, {"ranges": {"shear": 3}}]
)
def test_settings_that_cannot_be_used_are_refused(wrong):
    with pytest.raises(SettingError, match=next(iter(wrong)).replace("ranges", "shear")):
        RandAffineElasticd(["image", "label"], **wrong)


def samples(pair):
    """Two cases whose meta could not be batched as it is."""
    cases = [{key: volume.clone() for key, volume in pair.items()} for _ in range(2)]
    for number, case in enumerate(cases):
        case["image"].meta["repairs"] = ["sorted"] * number
        case["image"].meta["filename_or_obj"] = f"case_{number}"
    return cases


@pytest.mark.parametrize("workers", [0, 1])
def test_patches_are_batched_and_taken_apart_again(pair, workers):
    transform = RandAffineElasticd(["image", "label"], (16, 16, 16), ranges=STRONG).set_random_state(seed=0)
    loader = DataLoader(Dataset(samples(pair), transform), batch_size=2, num_workers=workers)
    batch = next(iter(loader))
    assert batch["image"].shape == (2, 1, 16, 16, 16)
    assert batch["image"].meta["filename_or_obj"] == ["case_0", "case_1"]
    assert [ops[-1]["class"] for ops in batch["image"].applied_operations] == ["RandAffineElastic"] * 2


def test_the_record_survives_pickling(pair):
    transform = RandAffineElasticd(["image", "label"], (16, 16, 16), ranges=STRONG).set_random_state(seed=0)
    out = pickle.loads(pickle.dumps(transform(pair)))
    assert transform.inverse(out)["image"].shape == pair["image"].shape


def test_without_meta_there_are_plain_tensors(pair):
    set_track_meta(False)
    try:
        out = RandAffineElasticd(["image", "label"], (8, 8, 8), ranges=STRONG)(pair)
    finally:
        set_track_meta(True)
    assert type(out["image"]) is torch.Tensor


def test_monai_inverts_a_chain_and_a_prediction(pair):
    chain = Compose(
        [
            RandAffineElasticd(["image", "label"], (32, 32, 28), ranges=STRONG),
            RandFlipd(["image", "label"], prob=1.0, spatial_axis=0),
        ]
    ).set_random_state(seed=1)
    out = chain(pair)
    out["pred"] = MetaTensor(torch.nn.functional.one_hot(out["label"][0].long(), 2).movedim(-1, 0).float())
    back = Invertd("pred", chain, orig_keys="image", nearest_interp=True)(out)["pred"]
    assert back.shape == (2, 40, 36, 30)
    assert set(np.unique(back.numpy())) <= {0.0, 1.0}
    torch.testing.assert_close(back.affine, pair["image"].affine)
    truth = pair["label"][0].bool()
    found = back[1].bool()
    assert 2 * (truth & found).sum() / (truth.sum() + found.sum()) > 0.75
