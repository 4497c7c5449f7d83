"""The shipped slice classifier and a stock one under the same audit.

The stock one is what MONAI's classification tutorial builds: `DenseNet121` on gray pictures of 224 x 224 pixels, random
rotation, flip and zoom, Adam, cross entropy, from random initialisation, its last weights. It is trained for processor
minutes, so that other work on the machine takes nothing from it; its weights are kept in OUTPUT and used again. Printed
are, one JSON object a line, the AUROCs of the audit and the scores of each, at the threshold that was chosen on the
validation split, with 95 % intervals.

    python benchmarks/slice_contest.py COVID_CT OUTPUT [--minutes 30] [--seeds 0 1] [--split validation]
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai import transforms as mt
from monai.bundle import ConfigParser
from monai.data import CacheDataset, DataLoader, PILReader
from monai.networks.nets import DenseNet121
from monai.utils import set_determinism
from PIL import Image
from torch import nn

from pipeline.bundle import find_bundle
from pipeline.datasets.slices import load_slice_datalist
from pipeline.evaluation.slices import audit_pictures
from pipeline.evaluation.slices.intervals import with_intervals
from pipeline.evaluation.slices.scores import choose_threshold, scores
from transforms.slices import LoadSliced, SliceInput, ToProbabilitiesd

CLASSES = {"NonCOVID": 0, "COVID": 1}
SIZE = (224, 224)
Items = Sequence[Mapping[str, Any]]
Predict = Callable[[torch.Tensor], torch.Tensor]


def main() -> None:
    """Trains the stock classifiers that are not there yet, and measures all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="COVID-CT, or pictures in another layout with the same two classes.")
    parser.add_argument("output", type=Path)
    parser.add_argument("--minutes", type=float, default=30, help="Of a processor, for each stock classifier.")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--split", default="validation", choices=["validation", "test"])
    parser.add_argument("--samples", type=int, default=1000, help="Draws of the bootstrap.")
    given = parser.parse_args()
    splits = {name: load_slice_datalist(given.data, name, CLASSES) for name in ("training", "validation", given.split)}
    contestants = {f"stock MONAI, seed {seed}": partial(stock, given, splits["training"], seed) for seed in given.seeds}
    for name, contestant in {"ctvol": ctvol, **contestants}.items():
        slice_input, predict, details = contestant()
        found = audit_pictures(
            given.output / name / given.split, splits[given.split], splits["training"], slice_input, predict,
            samples=given.samples,
        )  # fmt: skip
        own = scored(slice_input, predict, splits["validation"], splits[given.split], given.samples)
        line = {"contestant": name, "split": given.split, **details, "audit": found["auroc"], "scores": own}
        print(json.dumps(line), flush=True)


def ctvol() -> tuple[SliceInput, Predict, dict[str, Any]]:
    """The shipped weights, as the bundle infers."""
    bundle = find_bundle("ct_slice_classification")
    config = ConfigParser.load_config_files(str(bundle / "configs" / "inference.yaml"))
    parser = ConfigParser(config | {"bundle_root": str(bundle), "device": "cpu"})
    inferer, network = (parser.get_parsed_content(name) for name in ("inferer", "network"))
    return parser.get_parsed_content("network_input"), lambda images: inferer(images, network), {}


def stock(given: argparse.Namespace, training: Items, seed: int) -> tuple[SliceInput, Predict, dict[str, Any]]:
    """The tutorial's classifier; pictures reach it as they are, resized."""
    path = given.output / f"stock-{seed}.pt"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(trained(training, given.minutes, seed), path)
    saved = torch.load(path, weights_only=True)
    network = DenseNet121(spatial_dims=2, in_channels=1, out_channels=2)
    network.load_state_dict(saved.pop("network"))
    network.eval()

    def predict(images: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return torch.cat([network(part) for part in images.split(16)])

    return SliceInput(image_size=SIZE, region="all", blank_outside=False), predict, saved


def trained(training: Items, minutes: float, seed: int) -> dict[str, Any]:
    """Weights of the stock classifier, and how long it was trained."""
    set_determinism(seed)
    chain = mt.Compose(
        [
            mt.LoadImaged("image", reader=PILReader(converter=_gray, reverse_indexing=False), image_only=True),
            mt.EnsureChannelFirstd("image", channel_dim="no_channel"),
            mt.Resized("image", SIZE, mode="bilinear", anti_aliasing=True),
            mt.ScaleIntensityRanged("image", 0, 255, 0, 1),
            mt.RandRotated("image", range_x=math.pi / 12, prob=0.5, keep_size=True),
            mt.RandFlipd("image", spatial_axis=1, prob=0.5),
            mt.RandZoomd("image", min_zoom=0.9, max_zoom=1.1, prob=0.5),
        ]
    )
    data = [{"image": item["image"], "label": int(item["label"])} for item in training]
    loader = DataLoader(CacheDataset(data, chain, progress=False), batch_size=16, shuffle=True, drop_last=True)
    network = DenseNet121(spatial_dims=2, in_channels=1, out_channels=2)
    optimizer, loss = torch.optim.Adam(network.parameters(), 1e-4), nn.CrossEntropyLoss()
    begun, epochs = time.process_time(), 0
    while (time.process_time() - begun) / 60 < minutes:
        for batch in loader:
            optimizer.zero_grad()
            loss(network(batch["image"].as_tensor()), batch["label"]).backward()
            optimizer.step()
        epochs += 1
    spent = round((time.process_time() - begun) / 60, 1)
    return {"network": network.state_dict(), "epochs": epochs, "processor_minutes": spent}


def _gray(picture: Image.Image) -> Image.Image:
    """Eight bits of gray, whatever the mode; what shows where a picture is transparent is what is stored there."""
    return picture.convert("RGBA").convert("L")


def scored(
    slice_input: SliceInput, predict: Predict, validation: Items, items: Items, samples: int
) -> dict[str, dict[str, float]]:
    """The scores of a split with their intervals, at the threshold of the highest Youden index on validation."""
    threshold = choose_threshold(*_probabilities(slice_input, predict, validation))
    labels, probabilities = _probabilities(slice_input, predict, items)
    found = with_intervals(
        partial(scores, threshold=threshold), labels, probabilities, [str(item["case"]) for item in items],
        samples=samples,
    )  # fmt: skip
    return {name: {key: round(float(value), 4) for key, value in asdict(one).items()} for name, one in found.items()}


def _probabilities(slice_input: SliceInput, predict: Predict, items: Items) -> tuple[Any, Any]:
    load = LoadSliced("image", slice_input)
    images = torch.stack([torch.as_tensor(load(dict(item))["image"]) for item in items])
    labels = np.array([int(item["label"]) for item in items])
    return labels, ToProbabilitiesd("pred")({"pred": predict(images)})["pred"].numpy()


if __name__ == "__main__":
    main()
