"""Decisions from made-up cases with known answers, and a plan of files that training takes."""

import json

import nibabel as nib
import numpy as np
import pytest
import torch
import yaml
from monai.networks.nets import UNet

from pipeline.datasets.intensities import Tally
from pipeline.planning import Budget, CaseFacts, make_plan, overlay_text
from pipeline.planning.classes import found_classes
from pipeline.planning.memory import budget_of, training_bytes
from transforms.errors import DataListError

CLASSES = {"background": 0, "tumour": 1}
LARGE = Budget(device="a large device", bytes=64e9, patch_voxels=10**9, batch=8)


@pytest.fixture(scope="module")
def network():
    with torch.device("meta"):
        return UNet(3, 1, 2, (16, 32, 64, 128, 256), (2, 2, 2, 2), num_res_units=2, norm="instance").eval()


def facts(spacing=(1.0, 1.0, 1.0), shape=(100, 90, 80), lesion_mm=30.0, hu=(-50, 0, 150), **others):
    tally = Tally()
    tally.add(np.array(hu, dtype=float))
    size = tuple(float(step * voxels) for step, voxels in zip(spacing, shape, strict=True))
    known = {"lungs_hold": None, "lungs_mm": None, "body_mm": size, "class_ml": {1: 14.0}} | others
    return CaseFacts(case="x", spacing_mm=spacing, size_mm=size, lesion_mm=lesion_mm, foreground=tally, **known)


def plan(cases, network, budget=LARGE):
    return make_plan(cases, CLASSES, budget, network, 20.0)


def test_a_small_volume_is_taken_whole_at_its_own_spacing(network):
    found = plan([facts(), facts(spacing=(2.0, 1.0, 1.0), shape=(50, 90, 80)), facts()], network)
    assert found.values["spacing_mm"] == [1.0, 1.0, 1.0]
    assert found.values["patch_size"] == [112, 96, 80]
    assert "the median of 3 cases" in found.reasons["spacing_mm"]


def test_a_thick_axis_takes_the_finer_slices(network):
    cases = [facts(spacing=(1, 1, step), shape=(100, 100, 20)) for step in (2.0, 4.0, 5.0, 5.0, 5.0)]
    found = plan(cases, network)
    assert found.values["spacing_mm"] == [1.0, 1.0, pytest.approx(2.8)]
    assert "10th percentile, 2.8 mm" in found.reasons["spacing_mm"]


def test_a_large_volume_is_made_coarser_as_far_as_lesions_allow(network):
    small = Budget(device="a small device", bytes=64e9, patch_voxels=64**3, batch=2)
    whole = [facts(spacing=(0.7, 0.7, 1.0), shape=(512, 512, 300), lesion_mm=60.0)]
    spacing = plan(whole, network, small).values["spacing_mm"]
    # 358 x 358 x 300 mm in 27 patches of 64³: 1.76 mm.
    assert spacing == pytest.approx([1.76] * 3, abs=0.03)
    fine = [facts(spacing=(0.7, 0.7, 1.0), shape=(512, 512, 300), lesion_mm=7.2)]
    found = plan(fine, network, small)
    assert found.values["spacing_mm"] == pytest.approx([1.2] * 3, abs=1e-3)
    assert "made coarser" in found.reasons["spacing_mm"]
    tiny = [facts(spacing=(0.7, 0.7, 1.0), shape=(512, 512, 300), lesion_mm=3.0)]
    assert plan(tiny, network, small).values["spacing_mm"] == [0.7, 0.7, 1.0]


def test_little_time_is_spent_on_whole_volumes_on_a_coarse_grid(network):
    cases = [facts(spacing=(1.0, 1.0, 3.0), shape=(200, 200, 64), lesion_mm=60.0)]
    long = make_plan(cases, CLASSES, LARGE, network, 20.0, minutes=600).values
    short = make_plan(cases, CLASSES, LARGE, network, 20.0, minutes=25).values
    assert long["spacing_mm"] == [1.0, 1.0, 3.0]
    assert short["max_minutes"] == 25
    assert short["spacing_mm"] == pytest.approx([3.1, 3.1, 3.1], abs=0.15)
    assert np.prod(short["patch_size"]) <= 64**3
    assert np.multiply(short["patch_size"], short["spacing_mm"]) == pytest.approx([200, 200, 200], abs=10)


def test_crops_around_the_foreground_are_seen_through(network):
    cropped = [facts(margins=(52, 52, 16, 52, 51, 16)), facts(margins=(52, 52, 16, 52, 52, 15))]
    assert "cut_margins" not in plan(cropped, network).values, "two cases say nothing"
    found = plan([*cropped, facts(margins=(51, 52, 16, 52, 52, 16))], network)
    assert found.values["field_of_view"] is True
    assert found.values["cut_margins"] > 0
    assert "52 x 52 x 16 voxels beyond" in found.reasons["field_of_view"]
    ended_early = facts(margins=(14, 52, 16, 52, 52, 16))
    assert plan([*cropped, cropped[0], ended_early], network).values["field_of_view"] is True
    free = plan([facts(margins=(place, 52, 16, 52, 52, 16)) for place in (20, 52, 80)], network)
    assert "field_of_view" not in free.values


def test_lesions_in_the_middle_are_told_to_the_network(network):
    # 51 mm on every side, in voxels of 1 x 1 x 3 mm.
    spacing, even = (1.0, 1.0, 3.0), (51, 51, 17, 51, 51, 17)
    cropped = [facts(spacing=spacing, margins=even), facts(spacing=spacing, margins=(51, 51, 17, 51, 51, 5))]
    found = plan([*cropped, facts(spacing=spacing, margins=(51, 52, 16, 50, 51, 17))], network)
    assert found.values["place_margin_mm"] == 51
    assert found.values["cut_margins"] > 0
    assert "WARNING" in found.reasons["place_margin_mm"]
    assert "cropped likewise" in overlay_text(found, cropped, [])
    aside = facts(spacing=spacing, margins=(51, 51, 5, 51, 20, 17))
    assert "place_margin_mm" not in plan([*cropped, cropped[0], aside], network).values, (
        "not in the middle of its image"
    )
    assert "place_margin_mm" not in plan(cropped, network).values, "two cases say nothing"
    # As many voxels on each side are not as many millimetres.
    uneven = [facts(spacing=spacing, margins=(30, 30, 30, 30, 30, 30)) for _ in range(3)]
    assert "place_margin_mm" not in plan(uneven, network).values
    assert plan(uneven, network).values["field_of_view"] is True
    tight = [facts(spacing=spacing, margins=(1, 1, 1, 1, 1, 1)) for _ in range(3)]
    assert "place_margin_mm" not in plan(tight, network).values, "no margin to go by"


def test_patch_and_batch_fit_the_budget_and_the_network(network):
    small = Budget(device="a small device", bytes=1e9, patch_voxels=96**3, batch=4)
    cases = [facts(spacing=(1, 1, 3), shape=(320, 256, 64)) for _ in range(9)]
    values = plan(cases, network, small).values
    patch = values["patch_size"]
    assert np.prod(patch) <= 96**3
    assert all(voxels % 16 == 0 for voxels in patch)
    assert patch[0] >= patch[1] > patch[2]
    assert training_bytes(network, 1, patch, values["train_batch_size"]) <= 1e9
    assert training_bytes(network, 1, patch, values["train_batch_size"] + 1) > 1e9


def test_the_region_holds_the_foreground_or_is_not_taken(network):
    chest = {"lungs_mm": (300.0, 200.0, 250.0)}
    assert plan([facts(lungs_hold=1.0, **chest)] * 2, network).values["region"] == "lungs"
    assert plan([facts(lungs_hold=1.0, **chest), facts(lungs_hold=0.9, **chest)], network).values["region"] == "all"
    assert plan([facts(lungs_hold=1.0, **chest), facts()], network).values["region"] == "all"
    small_body = plan([facts(body_mm=(60.0, 60.0, 80.0))], network)
    assert small_body.values["region"] == "body"
    assert "is 40 % of the volume" in small_body.reasons["region"]


def test_windows_are_percentiles_of_the_foreground(network):
    values = np.linspace(-123, 877, 1001)
    assert plan([facts(hu=values)], network).values["windows"] == [{"low": -120, "high": 880}]
    assert plan([facts(hu=[40, 41])], network).values["windows"] == [{"low": -10, "high": 100}]


def test_the_largest_component_stays_alone_where_every_case_has_one(network):
    one = [facts(largest={1: share}) for share in (1.0, 1.0, 0.985, 1.0, 1.0)]
    found = plan(one, network)
    assert found.values["keep_largest"] == ["tumour"]
    assert "98.5 % of the class" in found.reasons["keep_largest"]
    assert "keep_largest" not in plan([*one, facts(largest={1: 0.9})], network).values
    assert "keep_largest" not in plan(one[:4], network).values
    assert "keep_largest" in plan([*one, facts(largest={})], network).values  # a case without the class says nothing


def test_no_foreground_is_no_plan(network):
    with pytest.raises(DataListError, match="no foreground"):
        plan([facts(class_ml={}, lesion_mm=None)], network)


def test_memory_grows_with_patch_and_batch(network):
    one, two = (training_bytes(network, 1, (64, 64, 64), batch) for batch in (1, 2))
    more = training_bytes(network, 1, (64, 64, 128), 1)
    assert two - one == pytest.approx(more - one, rel=0.01)
    # A step with two patches of 64³ was measured at 0.30 GB.
    assert 0.2e9 < two < 0.6e9
    assert budget_of(torch.device("cpu")).bytes > 1e8


def test_the_overlay_says_why_and_cannot_be_broken_out_of(network):
    from pipeline.planning import Fault

    text = overlay_text(plan([facts()], network), [facts()], [Fault(case="y", reason="one\nregion: lungs")])
    values = yaml.safe_load(text)
    assert values["region"] == "all"
    assert values["spacing_mm"] == [1.0, 1.0, 1.0]
    assert "# - y: one region: lungs" in text
    for key in ("region", "spacing_mm", "windows", "patch_size", "train_batch_size"):
        before = text[: text.index(f"\n{key}:")].rsplit("\n", 1)[-1]
        assert before.startswith("# "), key


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([{1}], {"lesion": 1}),
        ([{1}, set(), {1, 2}], {"class_1": 1, "class_2": 2}),
        ([{3}, {1}, {2}], {"class_1": 1, "class_2": 2, "class_3": 3}),
    ],
)
def test_values_without_names_get_neutral_ones(values, names):
    cases = [facts(class_ml=dict.fromkeys(one, 1.0)) for one in values]
    assert found_classes(cases) == {"background": 0, **names}


@pytest.fixture
def data(tmp_path):
    """Two cases of a block in soft tissue, and one whose label lies elsewhere."""
    entries = []
    for name in ("a", "b", "moved"):
        hu = np.full((24, 24, 12), -1000, np.int16)
        hu[2:22, 2:22] = 40
        hu[8:16, 8:16, 4:8] = 120
        affine = np.diag([2.0, 2.0, 4.0, 1.0])
        nib.save(nib.Nifti1Image(hu, affine), tmp_path / f"{name}.nii.gz")
        affine[0, 3] = 9 if name == "moved" else 0
        nib.save(nib.Nifti1Image((hu == 120).astype(np.uint8), affine), tmp_path / f"{name}_label.nii.gz")
        entries.append({"image": f"{name}.nii.gz", "label": f"{name}_label.nii.gz"})
    content = {"labels": {"0": "background", "1": "tumour"}, "training": entries[:3], "validation": []}
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    return tmp_path


def test_a_data_set_becomes_an_overlay(run_ctvol, data, tmp_path):
    listing = json.loads((data / "dataset.json").read_text())
    listing["validation"], listing["training"] = listing["training"][:1], listing["training"][1:]
    (data / "dataset.json").write_text(json.dumps(listing))
    out = tmp_path / "overlay.yaml"
    result = run_ctvol("plan", data, "-o", out, "--device", "cpu")
    assert result.returncode == 1
    assert "left out: moved: label map and image are not on one grid" in result.stderr
    assert result.stdout.strip() == str(out)
    values = yaml.safe_load(out.read_text())
    assert values["classes"] == {"background": 0, "tumour": 1}
    assert values["spacing_mm"] == [2.0, 2.0, 4.0]
    assert values["patch_size"] == [32, 32, 16]
    assert values["windows"] == [{"low": 70, "high": 170}]
    assert "tumour in 1 of 1 cases, median 4.1" in out.read_text()
    assert run_ctvol("plan", tmp_path / "none", "-o", out).returncode == 2
