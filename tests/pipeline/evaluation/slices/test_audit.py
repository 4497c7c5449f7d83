"""The audit: near duplicates, and models that read what they should, or what they should not."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.evaluation.slices import audit_pictures
from pipeline.evaluation.slices.near_duplicates import difference_hash, near_pairs
from transforms.errors import DataListError
from transforms.slices import SliceInput

SIDE = 64
INPUT = SliceInput(image_size=(SIDE, SIDE))


def chest(generator, ill, size):
    """A body with two lungs, white patches in those of the ill, and a bright letter beside them."""
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    gray = np.where((x / 0.8) ** 2 + (y / 0.7) ** 2 <= 1, 190, 5).astype(float)
    lungs = np.minimum(((x - 0.35) / 0.28) ** 2, ((x + 0.35) / 0.28) ** 2) + (y / 0.5) ** 2 <= 1
    gray[lungs] = 60
    top = generator.uniform(0, 0.15)
    gray[lungs & (y > top) & (y < top + 0.25) & ill] = 150
    return np.clip(gray + generator.normal(0, 6, gray.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def lists(tmp_path_factory):
    """Twelve pictures a class: those of the ill are larger JPEGs, and have a letter beside the body."""
    folder = tmp_path_factory.mktemp("audit")
    generator = np.random.default_rng(0)
    items = {"validation": [], "training": []}
    for number in range(24):
        ill = number % 2 == 1
        picture = chest(generator, ill, 110 if ill else 80)
        if ill:
            picture[2:10, 2:10] = 250
        path = folder / f"{number}.{'jpg' if ill else 'png'}"
        Image.fromarray(picture).save(path)
        items["validation"].append({"case": path.stem, "image": str(path), "label": int(ill), "group": str(path)})
    copy = folder / "copy.png"
    with Image.open(folder / "3.jpg") as picture:
        picture.resize((90, 90)).save(copy)
    items["training"].append({"case": "copy", "image": str(copy), "label": 1, "group": "copy"})
    other = folder / "other.png"
    Image.fromarray(np.flipud(chest(generator, True, 90))).save(other)
    items["training"].append({"case": "other", "image": str(other), "label": 1, "group": "other"})
    return items


def lung_reader(images):
    gray = images[:, 0, SIDE // 2 : -SIDE // 4, SIDE // 4 : -SIDE // 4].mean(dim=(1, 2))
    return torch.stack([torch.zeros_like(gray), 20 * (gray - 0.5)], dim=1)


def letter_reader(images):
    corner = images[:, 0, :3, :3].amax(dim=(1, 2))
    return torch.stack([torch.zeros_like(corner), 10 * (corner - 0.5)], dim=1)


def audited(lists, out, reader, **settings):
    content = audit_pictures(
        out, lists["validation"], lists["training"], SliceInput(image_size=(SIDE, SIDE), **settings), reader, samples=50
    )
    assert json.loads((out / "audit.json").read_text()) == content
    return content, {name: one["value"] for name, one in content["auroc"].items()}


def test_a_model_of_the_lungs_passes(lists, tmp_path):
    content, auroc = audited(lists, tmp_path, lung_reader)
    assert auroc["model"] == 1
    assert auroc["outside_blanked"] == 1
    assert auroc["file_alone"] > 0.95  # sizes and formats give all away,
    leak = content["auroc"]["file_through_model"]
    assert leak["low"] <= 0.5 <= leak["high"]  # but not through the model
    assert auroc["lungs_blanked"] < 0.9
    assert auroc["windows_changed"] > 0.8


def test_a_model_of_letters_is_found_out(lists, tmp_path):
    _, auroc = audited(lists, tmp_path, letter_reader, region="all", blank_outside=False)
    assert auroc["model"] == auroc["nothing_blanked"] == 1
    _, blanked = audited(lists, tmp_path, letter_reader)
    assert blanked["outside_blanked"] < 0.9


def test_a_model_of_the_window_is_found_out(lists, tmp_path):
    def tissue_reader(images):  # how white muscle is shown: the figure's window, not the lung
        gray = images[:, 0, SIDE // 2, 2:6].mean(dim=1)
        return torch.stack([torch.zeros_like(gray), 20 * (gray - 0.5)], dim=1)

    items = []
    for item in lists["validation"]:
        with Image.open(item["image"]) as picture:
            gray = np.asarray(picture, dtype=float) * (1 if item["label"] else 0.9)
        Image.fromarray(gray.astype(np.uint8)).save(path := tmp_path / f"{item['case']}.png")
        items.append({**item, "image": str(path)})
    found = {}
    for tones in ("shown", "anchored"):
        _, found[tones] = audited({"validation": items, "training": []}, tmp_path, tissue_reader, tones=tones)
    assert found["shown"]["model"] > 0.95
    assert found["shown"]["windows_changed"] < 0.8
    assert found["anchored"]["model"] < 0.8


def test_a_picture_that_training_has_too_is_found_and_left_out(lists, tmp_path):
    content, _ = audited(lists, tmp_path, lung_reader)
    pairs = {(pair["case"], pair["training_case"], pair["same_label"]) for pair in content["near_duplicates"]["pairs"]}
    assert ("3", "copy", True) in pairs
    assert not [pair for pair in pairs if pair[1] == "other"]


def test_a_hash_does_not_change_with_size_and_brightness():
    generator = np.random.default_rng(0)
    gray = generator.normal(size=(16, 16)).repeat(8, 0).repeat(8, 1)
    other = generator.normal(size=(128, 128))
    hashes = [difference_hash(picture) for picture in (gray, 3 * gray[::2, ::2] + 7, other)]
    assert [(pair.first, pair.second) for pair in near_pairs(hashes[:1], hashes[1:])] == [(0, 0)]
    assert near_pairs([], hashes) == []


def test_one_class_cannot_be_audited(lists, tmp_path):
    of_one = [item for item in lists["validation"] if item["label"]]
    with pytest.raises(DataListError, match="two classes"):
        audit_pictures(tmp_path, of_one, [], INPUT, lung_reader)
