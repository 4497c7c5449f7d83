"""Values that are Hounsfield units, and values that only look like it."""

import time

import numpy as np
import pytest

from transforms.errors import CTError
from transforms.reading import read_ct
from transforms.reading.histogram import judge_values
from transforms.reading.padding import replace_padding

TISSUES = {"air": (-1000, 15, 0.25), "lung": (-850, 40, 0.2), "fat": (-100, 15, 0.2), "muscle": (50, 12, 0.28)}
SHAPE = (32, 32, 40)


def chest(seed=0, noise=0.0, contrast=0.0, metal=0.0):
    """Voxels drawn as in a chest CT: air, lung, fat, muscle and bone in their shares."""
    rng = np.random.default_rng(seed)
    count = int(np.prod(SHAPE))
    parts = [rng.normal(mean, std, int(share * count)) for mean, std, share in TISSUES.values()]
    parts.append(rng.normal(350, 20, int(contrast * count)))
    parts.append(np.full(int(metal * count), 3071.0))
    left = count - sum(part.size for part in parts)
    hu = np.concatenate([*parts, rng.gamma(2, 150, left) + 100])
    hu += rng.normal(0, noise, count) if noise else 0
    return np.asfortranarray(np.clip(hu, -1024, 3071).round().astype(np.int16).reshape(SHAPE))


CHEST = chest()


def as_float(hu):
    return hu.astype(np.float32)


def scaled(hu, low, high, top):
    return (np.clip(as_float(hu), low, high) - low) / (high - low) * np.float32(top)


BENT = {
    "shifted": {
        "intercept left out": lambda hu: hu + 1024,
        "by 1000": lambda hu: hu + 1000,
        "and cut at zero": lambda hu: np.maximum(hu + 1024, 0),
        "intercept applied twice": lambda hu: hu - 1024,
    },
    "inverted": {
        "negated": lambda hu: -hu,
        "MONOCHROME1 of 12 bits": lambda hu: 2047 - hu,
    },
    "grey": {
        "whole range": lambda hu: scaled(hu, hu.min(), hu.max(), 255),
        "whole range, rounded": lambda hu: np.rint(scaled(hu, hu.min(), hu.max(), 255)),
        "soft tissue window": lambda hu: np.rint(scaled(hu, -160, 240, 255)),
        "lung window": lambda hu: np.rint(scaled(hu, -1350, 150, 255)),
        "inverted picture": lambda hu: 255 - np.rint(scaled(hu, -1000, 1000, 255)),
        "label map": lambda hu: (hu > 0).astype(np.int16) * 3,
        "empty label map": lambda hu: hu * 0,
    },
    "normalised": {
        "0 to 1": lambda hu: scaled(hu, -1000, 300, 1),
        "-1 to 1": lambda hu: scaled(hu, -1000, 300, 2) - 1,
        "z-score": lambda hu: (as_float(hu) - as_float(hu).mean()) / as_float(hu).std(),
        "z-score of the body": lambda hu: (as_float(hu) - hu[hu > -500].mean()) / hu[hu > -500].std(),
    },
    "wrapped": {"negative as unsigned": lambda hu: np.where(hu < 0, as_float(hu) + 65536, hu)},
    "cut-at-zero": {"negative lost": lambda hu: np.maximum(hu, 0)},
    "padding-only": {"one value": lambda hu: np.full_like(hu, -3024), "two": lambda hu: np.where(hu > 0, -2000, -2048)},
    "not-finite": {
        "NaN": lambda hu: np.where(hu > 500, np.nan, hu),
        "infinity": lambda hu: np.where(hu > 500, np.inf, hu),
    },
}


@pytest.mark.parametrize(("kind", "how"), [(kind, how) for kind, hows in BENT.items() for how in hows])
def test_values_that_are_not_hu_are_recognised(kind, how):
    bent = np.asfortranarray(BENT[kind][how](CHEST))
    bent = bent.astype(np.int16 if bent.dtype.kind == "i" else np.float32)
    verdict = judge_values(bent)
    assert verdict.kind == kind, verdict.sentence
    assert (verdict.air, verdict.soft_tissue) == (None, None)


@pytest.mark.parametrize(
    "volume",
    [
        chest(),
        chest(noise=80),
        chest(contrast=0.05),
        chest(metal=0.02),
        np.clip(chest(metal=0.02), -1000, 1000),
        as_float(chest()) + np.float32(0.25),
    ],
    ids=["plain", "noisy", "contrast", "metal", "cut at 1000", "fractions"],
)
def test_a_chest_is_hu(volume):
    verdict = judge_values(volume)
    assert (verdict.kind, verdict.low, verdict.high) == ("hu", volume.min(), volume.max())
    assert verdict.air == pytest.approx(-1000, abs=30)
    assert verdict.soft_tissue == pytest.approx(50, abs=60)


@pytest.mark.parametrize(
    ("low", "high"),
    [(-950, -500), (-150, 150), (20, 100), (200, 3071), (700, 1900), (-1024, -900), (-50, 3071)],
    ids=["lung", "soft tissue", "liver", "bone", "dense bone", "air", "no fat"],
)
def test_a_part_of_a_chest_is_hu(low, high):
    hu = chest(noise=20, contrast=0.05).ravel()
    assert judge_values(np.resize(hu[(hu > low) & (hu < high)], SHAPE)).kind == "hu"


@pytest.mark.parametrize("value", [-1024, -1000, 40])
def test_one_value_alone_is_not_suspected(value):
    assert judge_values(np.full((9, 9, 9), value, np.int16)).kind == "hu"


def test_few_voxels_are_not_suspected_of_a_shift():
    few = np.resize(CHEST.ravel()[:: CHEST.size // 5000], (16, 16, 16)) + np.int16(1024)
    assert judge_values(few).kind == "hu"


MIXTURES = {
    "muscle beside bone cut off at 1050": [(50, 12, 0.65)] + [(at, 5, 0.02) for at in range(500, 1000, 50)],
    "muscle beside contrast": [(50, 12, 0.85), (1000, 40, 0.15)],
    "bone beside metal": [(at, 30, 0.09) for at in range(700, 1700, 100)] + [(3000, 30, 0.1)],
}


@pytest.mark.parametrize("parts", MIXTURES.values(), ids=MIXTURES)
def test_dense_matter_beside_tissue_is_not_tissue_beside_air(parts):
    rng = np.random.default_rng(0)
    drawn = [rng.normal(mean, std, int(share * 40_000)) for mean, std, share in parts]
    rest = np.full(max(40_000 - sum(part.size for part in drawn), 0), 1050.0)
    values = np.concatenate([*drawn, rest]).round().astype(np.int16)[:40_000]
    assert judge_values(values.reshape(40, 50, 20)).kind == "hu"


def test_the_sentence_names_the_evidence():
    assert judge_values(CHEST).sentence == (
        f"Hounsfield units: {CHEST.min()} to {CHEST.max()}, air near -1000, soft tissue near 50."
    )
    assert judge_values(CHEST + np.int16(1024)).sentence == (
        "Values shifted against Hounsfield units: air near 24, soft tissue near 1074."
    )


def test_padding_does_not_hide_a_shift():
    shifted = CHEST + np.int16(1024)
    shifted[:6] = -2000
    assert judge_values(shifted).kind == "shifted"
    padded = CHEST.copy()
    padded[:6] = -2000
    assert judge_values(padded).kind == "hu"


def test_a_large_volume_takes_little_time():
    large = np.tile(CHEST.T, (8, 16, 16)).T
    seconds = []
    for _ in range(3):
        start = time.process_time()
        assert judge_values(large).kind == "hu"
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.5  # a tenth of it on an idle machine


class TestPadding:
    @pytest.mark.parametrize("value", [-2000, -2048, -3024, -32768])
    @pytest.mark.parametrize("dtype", [np.int16, np.float32])
    def test_is_set_to_air_and_said(self, value, dtype):
        expected = CHEST.astype(dtype, order="F")
        expected[:3] = -1024
        array = expected.copy(order="F")
        array[:3] = value
        said = replace_padding(array)
        assert said == f"3840 voxels outside the field of view, padded with {value}, were set to -1024."
        np.testing.assert_array_equal(array, expected)

    def test_blended_padding_goes_with_it(self):
        array = as_float(CHEST)
        array[:3], array[3, 0, :4] = -3024, [-2900.5, -1600, -1499, -1200]
        replace_padding(array)
        assert array[:3].max() == -1024
        assert array[3, 0, :4].tolist() == [-1024, -1024, -1499, -1200]

    @pytest.mark.parametrize(
        "values", [[-1207, -1100, -1025], [-2900, -2500, -2100, -1700]], ids=["undershoot", "streaks beside metal"]
    )
    def test_noise_and_streaks_stay(self, values):
        array = CHEST.copy(order="F")
        array[0, 0, : len(values)] = values
        kept = array.copy()
        assert replace_padding(array) is None
        np.testing.assert_array_equal(array, kept)

    def test_air_twice_rescaled_is_no_padding(self):
        array = np.maximum(chest(noise=60), -1024) - np.int16(1024)
        assert replace_padding(array.copy()) is None


def volumes_of(root):
    paths = [
        root / "chest-lidc-0314",
        root / "chest-lung-dx-a0002/series-3-B40f",
        root / "chest-lung-dx-a0002/series-2-B70f",
        *sorted((root / "sts-ct").glob("*/CT_image.nii.gz")),
        *sorted((root / "awkward/totalseg-example").glob("example_ct*.nii.gz")),
        root / "awkward/totalseg-example/example_ct_dicom",
    ]
    return {str(path): read_ct(path, allow=["not-hu"]).array for path in paths}


def test_real_ct_and_its_crops_are_hu_and_its_bent_copies_are_not(real_data):
    rng = np.random.default_rng(0)
    volumes = volumes_of(real_data)
    assert len(volumes) == 19
    for name, volume in volumes.items():
        assert judge_values(volume).kind == "hu", name
        for _ in range(40):
            size = [min(extent, int(2 ** rng.uniform(2, 7))) for extent in volume.shape]
            start = [rng.integers(0, extent - edge + 1) for extent, edge in zip(volume.shape, size, strict=True)]
            crop = volume[tuple(slice(at, at + edge) for at, edge in zip(start, size, strict=True))]
            for values in (crop, np.clip(crop, -1000, 1000), crop + rng.normal(0, 80, crop.shape).astype(np.float32)):
                verdict = judge_values(values)
                assert verdict.kind == "hu", (name, start, size, verdict.sentence)
        part = np.asfortranarray(volume[::2, ::2, :: -(-volume.shape[2] // 100)])
        for bend in (*BENT["shifted"].values(), *BENT["inverted"].values()):
            assert judge_values(bend(part)).kind in ("shifted", "inverted"), name
        for bend in (*BENT["grey"].values(), *BENT["cut-at-zero"].values()):
            assert judge_values(bend(part).astype(np.float32)).kind in ("grey", "cut-at-zero"), name


def test_awkward_ct_is_hu(real_data):
    for folder in ("dcm-qa-ct-ge", "dicom2nifti-failing/gantrytilting", "dicom2nifti-failing/sliceincrement"):
        try:
            volume = read_ct(real_data / "awkward" / folder, allow=["tilt", "uneven", "not-hu"])
        except CTError:
            continue  # its geometry is refused: nothing to judge
        assert judge_values(volume.array).kind == "hu", folder
