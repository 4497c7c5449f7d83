"""Who trains in `training.py`: each builds MONAI's trainer, with the same network on samples of the same kind."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the program that starts the contestants needs neither torch nor MONAI
    from monai.engines import SupervisedTrainer

SPACING_MM = (1.5, 1.5, 1.5)
LOW_HU, HIGH_HU = -1000, 300
DEFORMED = 0.7
DEGREES = (10, 10, 15)

Builder = Callable[[argparse.Namespace], "SupervisedTrainer"]


def ctvol(given: argparse.Namespace) -> SupervisedTrainer:
    """Ours: the trainer of the bundle's `train.yaml`, without what happens between epochs."""
    from monai.bundle import ConfigWorkflow

    from pipeline.bundle import find_bundle

    bundle = find_bundle("ct_lesion_segmentation")
    samples = (given.warm_up + given.iterations) * given.batch_size
    keys: dict[str, Any] = {
        "bundle_root": str(bundle),
        "dataset_dir": given.data,
        "ckpt_dir": tempfile.mkdtemp(dir=given.data, prefix="run-"),
        "device": given.device,
        "classes": _classes(given.data),
        "region": "all",
        "patch_size": [given.patch_size] * 3,
        "train_batch_size": given.batch_size,
        "samples_per_epoch": samples,
        "num_workers": given.workers,
        "augment_on": given.augment_on,
        "network_def#channels": given.channels,
        "network_def#strides": [2] * (len(given.channels) - 1),
        "train#handlers": [
            {"_target_": "pipeline.training.LearningRateSchedule", "optimizer": "@optimizer", "budget": "@budget"},
            {"_target_": "$lambda: @ema"},
            {"_target_": "$lambda: @budget"},
        ],
    }
    workflow = ConfigWorkflow(
        config_file=str(bundle / "configs" / "train.yaml"),
        meta_file=str(bundle / "configs" / "metadata.json"),
        logging_file=False,
        workflow_type="train",
        **keys,
    )
    workflow.initialize()
    trainer: SupervisedTrainer = workflow.parser.get_parsed_content("train#trainer")
    return trainer


def monai_affine(given: argparse.Namespace) -> SupervisedTrainer:
    """The usual loop of MONAI's tutorials, with its affine transform: no elastic deformation."""
    from monai.transforms import RandAffined

    size = (given.patch_size,) * 3
    return _stock(given, RandAffined(["image", "label"], spatial_size=size, **_affine(), padding_mode="zeros"))


def monai_elastic(given: argparse.Namespace) -> SupervisedTrainer:
    """The same with MONAI's elastic deformation, which has an affine part: as ctvol deforms."""
    from monai.transforms import Rand3DElasticd

    elastic = Rand3DElasticd(
        ["image", "label"], sigma_range=(5, 7), magnitude_range=(50, 150), **_affine(), padding_mode="zeros"
    )
    return _stock(given, elastic)


OURS = "ctvol"
CONTESTANTS: dict[str, Builder] = {
    OURS: ctvol,
    "MONAI, RandAffined": monai_affine,
    "MONAI, Rand3DElasticd": monai_elastic,
}


def _affine() -> dict[str, Any]:
    return {
        "prob": DEFORMED,
        "rotate_range": [degrees / 57.3 for degrees in DEGREES],
        "scale_range": [0.2] * 3,
        "mode": ["bilinear", "nearest"],
    }


def _stock(given: argparse.Namespace, deform: Any) -> SupervisedTrainer:
    import torch
    from monai import transforms as mt
    from monai.data import CacheDataset, DataLoader
    from monai.engines import SupervisedTrainer
    from monai.losses import DiceCELoss
    from monai.networks.nets import UNet

    from pipeline.datasets import load_datalist

    keys, size, device = ["image", "label"], (given.patch_size,) * 3, torch.device(given.device)
    chain = mt.Compose(
        [
            mt.LoadImaged(keys),
            mt.EnsureChannelFirstd(keys),
            mt.Orientationd(keys, axcodes="RAS", labels=None),
            mt.Spacingd(keys, pixdim=SPACING_MM, mode=("bilinear", "nearest")),
            mt.ScaleIntensityRanged("image", LOW_HU, HIGH_HU, 0, 1, clip=True),
            mt.SpatialPadd(keys, size),
            mt.RandCropByPosNegLabeld(keys, "label", size, pos=0.7, neg=0.3, num_samples=1),
            deform,
            *(mt.RandFlipd(keys, prob=0.5, spatial_axis=axis) for axis in range(3)),
            mt.RandScaleIntensityd("image", factors=0.15, prob=0.3),
            mt.RandShiftIntensityd("image", offsets=0.05, prob=0.3),
            mt.RandAdjustContrastd("image", gamma=(0.8, 1.25), prob=0.2),
            mt.RandGaussianSmoothd("image", sigma_x=(0.3, 1), sigma_y=(0.3, 1), sigma_z=(0.3, 1), prob=0.15),
            mt.RandGaussianNoised("image", std=0.03, prob=0.3),
        ]
    ).set_random_state(seed=0)
    cases = load_datalist(given.data, "training")
    samples = (given.warm_up + given.iterations) * given.batch_size
    listed = [cases[index % len(cases)] for index in range(samples)]
    data = CacheDataset(listed, chain, cache_num=len(cases), hash_as_key=True, num_workers=2, progress=False)
    loader = DataLoader(
        data, batch_size=given.batch_size, shuffle=True, num_workers=given.workers, pin_memory=device.type == "cuda",
        persistent_workers=given.workers > 0,
    )  # fmt: skip
    channels = given.channels
    network = UNet(
        3, 1, len(_classes(given.data)), channels, [2] * (len(channels) - 1), num_res_units=2, norm="instance"
    ).to(device)
    return SupervisedTrainer(
        device=device,
        max_epochs=1,
        train_data_loader=loader,
        network=network,
        optimizer=torch.optim.AdamW(network.parameters(), lr=0.001, weight_decay=0.00003),
        loss_function=DiceCELoss(to_onehot_y=True, softmax=True, batch=True),
        amp=device.type == "cuda",
    )


def _classes(data: str) -> dict[str, int]:
    """Background and as many classes as the label maps have."""
    import numpy as np

    from pipeline.datasets import load_datalist
    from transforms import read_label_map

    cases = load_datalist(data, "training")
    highest = max(int(np.asarray(read_label_map(Path(case["label"])).array).max()) for case in cases)
    return {"background": 0} | {f"class_{value}": value for value in range(1, highest + 1)}
