"""Drawn chests and nuclei in the file layout of each recipe."""

import json

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

SIDE = 64


def draw_slices(count, seed=0):
    """HU `(N, H, W)` of lungs with a round lesion of each class, and the label map."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    lungs = np.minimum(((x - 0.4) / 0.3) ** 2, ((x + 0.4) / 0.3) ** 2) + (y / 0.55) ** 2 <= 1
    flat = np.where(lungs, -850, np.where((x / 0.9) ** 2 + (y / 0.8) ** 2 <= 1, 40, -1000))
    hu = np.repeat(flat[None].astype(float), count, axis=0)
    labels = np.zeros(hu.shape, dtype=np.uint8)
    for number in range(count):
        for value, density in ((1, -550), (2, 0), (3, 15)):
            cx, cy = generator.uniform(-0.5, 0.5), generator.uniform(-0.3, 0.3)
            lesion = lungs & (((x - cx) / 0.25) ** 2 + ((y - cy) / 0.25) ** 2 <= 1)
            hu[number][lesion], labels[number][lesion] = density, value
    return hu + generator.normal(0, 10, hu.shape), labels


@pytest.fixture(scope="session")
def stacks(tmp_path_factory):
    """One NIfTI with a stack of slices and one with its masks, listed for training alone."""
    folder = tmp_path_factory.mktemp("stacks")
    hu, labels = draw_slices(6)
    affine = np.diag([-1.0, -1.0, 1.0, 1.0])
    nib.save(nib.Nifti1Image(hu.transpose(2, 1, 0).round().astype(np.int16), affine), folder / "tr_im.nii.gz")
    nib.save(nib.Nifti1Image(labels.transpose(2, 1, 0), affine), folder / "tr_mask.nii.gz")
    (folder / "dataset.json").write_text(
        json.dumps({"training": [{"image": "tr_im.nii.gz", "label": "tr_mask.nii.gz"}]})
    )
    return folder


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """The slices of three patients as folders of pictures, each with a mask of its name."""
    folder = tmp_path_factory.mktemp("pictures")
    for patient in range(3):
        hu, labels = draw_slices(2, seed=patient)
        gray = np.clip((hu + 1350) / 1500 * 255, 0, 255).astype(np.uint8)
        for kind, stack in (("images", gray), ("masks", labels)):
            (folder / f"p{patient}" / kind).mkdir(parents=True)
            for number, picture in enumerate(stack):
                Image.fromarray(picture).save(folder / f"p{patient}" / kind / f"{number}.png")
    return folder


@pytest.fixture(scope="session")
def arrays(tmp_path_factory):
    """Arrays as in the Kaggle competition: two with masks, and one to predict."""
    folder = tmp_path_factory.mktemp("arrays")
    for seed, name in enumerate(("medseg", "radiopedia")):
        hu, labels = draw_slices(4, seed)
        np.save(folder / f"images_{name}.npy", hu[..., None].astype(np.float32))
        lung = (labels == 0) & (hu < -750) & (hu > -950)
        channels = [labels == 1, labels >= 2, lung, (labels == 0) & ~lung]
        np.save(folder / f"masks_{name}.npy", np.stack(channels, axis=-1).astype(np.float32))
    np.save(folder / "test_images_medseg.npy", draw_slices(2, 9)[0][..., None].astype(np.float32))
    return folder


@pytest.fixture(scope="session")
def nuclei(tmp_path_factory):
    """Pictures of nuclei in the layout of the 2018 Data Science Bowl: RGB and RGBA, of two sizes, a file a nucleus."""
    folder = tmp_path_factory.mktemp("nuclei") / "stage1_train"
    generator = np.random.default_rng(0)
    for number in range(5):
        rows, columns = (48, 64) if number % 2 else (64, 64)
        y, x = np.mgrid[:rows, :columns]
        picture = np.full((rows, columns, 3), 30, dtype=np.uint8)
        case = folder / f"{number:02d}"
        for kind in ("images", "masks"):
            (case / kind).mkdir(parents=True)
        for nucleus in range(3):
            round_one = (y - generator.integers(8, rows - 8)) ** 2 + (x - generator.integers(8, columns - 8)) ** 2 <= 30
            picture[round_one] = (200, 120, 200)
            Image.fromarray((round_one * 255).astype(np.uint8)).save(case / "masks" / f"nucleus{nucleus}.png")
        Image.fromarray(picture).convert("RGBA" if number % 2 else "RGB").save(case / "images" / f"{number:02d}.png")
    return folder.parent
