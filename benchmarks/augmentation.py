"""How fast a training patch is deformed: MONAI, batchgeneratorsv2, TorchIO and ctvol in one run.

    python benchmarks/augmentation.py [--size 128] [--rounds 5] [--threads 2]

An image and a label map of `size`³ voxels are rotated, scaled and elastically deformed, image by linear interpolation
and label by nearest, by each contestant in a process of its own, which has done it once before: imports do not count.
Two more are no contestants: MONAI's affine transform alone, and PyTorch's bare `grid_sample` of the image at given
positions. Printed are median seconds, by the clock and of the processor, and how many times ctvol's they are. With a
CUDA device the batch form of ctvol is timed too, in seconds a sample.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from typing import Any

import torch
from contest import Measurement, answer, machine, measured, medians, rounds_of, say
from torch.nn import functional

ROTATION_DEGREES = 15
SCALE = 0.2
SAMPLES = 4  # of one measurement

_Deform = Callable[
    [torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]
]  # image and label, each (1, X, Y, Z)


def ctvol(size: int) -> _Deform:
    """Ours, as the training chain of the bundle uses it."""
    from transforms.augmentation import RandAffineElasticd

    transform = RandAffineElasticd(["image", "label"], (size,) * 3, ranges=_ranges())
    return _by_dictionary(transform.set_random_state(seed=0))


def ctvol_batch(size: int) -> _Deform:
    """Ours, for a batch on the device where it is trained on."""
    from transforms.augmentation import RandAffineElasticBatchd

    transform = RandAffineElasticBatchd(["image", "label"], ranges=_ranges(), spacing_mm=(1, 1, 1))
    return _by_dictionary(transform.set_random_state(seed=0))


def monai_elastic(size: int) -> _Deform:
    """MONAI's elastic deformation, which has an affine part."""
    from monai.transforms import Rand3DElasticd

    transform = Rand3DElasticd(
        ["image", "label"],
        sigma_range=(5, 7),
        magnitude_range=(50, 150),
        prob=1,
        rotate_range=[0.26] * 3,
        scale_range=[SCALE] * 3,
        mode=["bilinear", "nearest"],
        padding_mode="zeros",
    )
    return _by_dictionary(transform.set_random_state(seed=0))


def monai_affine(size: int) -> _Deform:
    """MONAI's affine transform alone, without elastic deformation."""
    from monai.transforms import RandAffined

    transform = RandAffined(
        ["image", "label"],
        prob=1,
        rotate_range=[0.26] * 3,
        scale_range=[SCALE] * 3,
        mode=["bilinear", "nearest"],
        padding_mode="zeros",
    )
    return _by_dictionary(transform.set_random_state(seed=0))


def batchgenerators(size: int) -> _Deform:
    """The spatial transform of nnU-Net, with its elastic deformation switched on."""
    from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform

    angle = ROTATION_DEGREES / 180 * 3.14159
    transform = SpatialTransform(
        (size,) * 3,
        patch_center_dist_from_border=0,
        random_crop=False,
        p_elastic_deform=1,
        p_rotation=1,
        rotation=(-angle, angle),
        p_scaling=1,
        scaling=(1 - SCALE, 1 + SCALE),
        mode_seg="nearest",
    )

    def deform(image: torch.Tensor, label: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        out = transform(image=image, segmentation=label)
        return out["image"], out["segmentation"]

    return deform


def torchio(size: int) -> _Deform:
    """TorchIO's two transforms, one after the other."""
    import torchio as tio

    transform = tio.Compose([tio.RandomElasticDeformation(), tio.RandomAffine(scales=SCALE, degrees=ROTATION_DEGREES)])

    def deform(image: torch.Tensor, label: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        subject = tio.Subject(image=tio.ScalarImage(tensor=image), label=tio.LabelMap(tensor=label))
        out = transform(subject)
        return out["image"].data, out["label"].data

    return deform


def bare_grid_sample(size: int) -> _Deform:
    """PyTorch's sampling of the image alone, at positions that are there already."""
    grid = functional.affine_grid(torch.eye(3, 4)[None] * 0.97, [1, 1, size, size, size], align_corners=False)

    def deform(image: torch.Tensor, label: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return functional.grid_sample(image[None], grid, align_corners=False)[0], label

    return deform


OURS = "ctvol"
CONTESTANTS: dict[str, Callable[[int], _Deform]] = {
    OURS: ctvol,
    "MONAI Rand3DElasticd": monai_elastic,
    "batchgeneratorsv2 SpatialTransform": batchgenerators,
    "TorchIO elastic + affine": torchio,
    "MONAI RandAffined, affine alone": monai_affine,
    "grid_sample, image alone": bare_grid_sample,
}
ON_CUDA = {"ctvol, batch on CUDA": ctvol_batch}


def main() -> None:
    """Starts the contestants, or is one of them."""
    given = _arguments()
    if given.contestant:
        answer(_deformations(given.contestant, given.size, given.threads))
        return
    say(benchmark="augmentation", **machine("torch", "monai", "batchgeneratorsv2", "torchio"))
    names = [*CONTESTANTS, *(ON_CUDA if torch.cuda.is_available() else ())]
    arguments = ["--size", str(given.size), "--threads", str(given.threads)]
    found = rounds_of(names, arguments, rounds=given.rounds, program=__file__)
    own = medians(found[OURS])
    for name, measurements in found.items():
        middle = medians(measurements)
        say(
            contestant=name,
            **{measure: round(value / SAMPLES, 5) for measure, value in middle.items()},
            **{f"{measure}_in_ctvols": round(value / own[measure], 2) for measure, value in middle.items()},
            **measurements[0].result,
            size=given.size,
            threads=given.threads,
            rounds=len(measurements),
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2, help="threads of PyTorch")
    parser.add_argument("--contestant", help=argparse.SUPPRESS)
    return parser.parse_args()


def _ranges() -> dict[str, Any]:
    return {"rotation_degrees": (ROTATION_DEGREES,) * 3, "scale": SCALE, "shear": 0.05, "elastic_mm": 6}


def _by_dictionary(transform: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> _Deform:
    def deform(image: torch.Tensor, label: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        out = transform({"image": image, "label": label})
        return out["image"], out["label"]

    return deform


def _deformations(name: str, size: int, threads: int) -> Measurement:
    warnings.simplefilter("ignore")
    torch.set_num_threads(threads)
    deform = {**CONTESTANTS, **ON_CUDA}[name](size)
    image, label = _phantom(size)
    if name in ON_CUDA:
        image = image.expand(SAMPLES, 1, *image.shape[1:]).cuda()
        label = label.expand(SAMPLES, 1, *label.shape[1:]).cuda()
    deform(image, label)
    whole = _on_cuda if name in ON_CUDA else _one_by_one
    return measured(lambda: whole(deform, image, label), _described)


def _one_by_one(deform: _Deform, image: torch.Tensor, label: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    for _ in range(SAMPLES):
        made = deform(image, label)
    return made


def _on_cuda(deform: _Deform, image: torch.Tensor, label: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    made = deform(image, label)
    torch.cuda.synchronize()
    return made


def _phantom(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A noisy image and a label map of three classes in blobs, `(1, size, size, size)` both."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand((1, 1, 10, 10, 10), generator=generator)
    smooth = functional.interpolate(coarse, size=(size,) * 3, mode="trilinear")[0]
    image = smooth + 0.05 * torch.randn(smooth.shape, generator=generator)
    return image, (smooth > 0.55).to(torch.uint8) + (smooth > 0.7).to(torch.uint8)


def _described(made: tuple[torch.Tensor, torch.Tensor]) -> dict[str, Any]:
    """Shape, and the classes that the label map still has: nearest interpolation makes no others."""
    image, label = made
    return {"shape": list(image.shape[-3:]), "classes": sorted({int(value) for value in label.unique().tolist()})}


if __name__ == "__main__":
    main()
