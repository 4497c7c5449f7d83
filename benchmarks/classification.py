"""How many slices a second the slice classifier takes from a volume to probabilities, against a plain loop.

Prints one JSON object a line: reading and preparing as the bundle's inference does it; then ours (batches, reduced
precision where the processor has it) and the plain loop (each slice by itself through the same network in float32), in
turns in one run; and ours altogether, from the file to probabilities. All give the same network the same inputs. By
default network, input and mirrored views are those of the shipped bundle.

    python benchmarks/classification.py --study STUDY --rounds 3
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser

from pipeline.inference.slices import SliceInferer
from pipeline.networks.classifiers import classifier
from transforms.slices import SliceInput, SlicesOfCased, ToProbabilitiesd

BUNDLE = Path(__file__).parents[1] / "bundles" / "ct_slice_classification"


def main() -> None:
    """Measures both ways in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", required=True, help="A chest CT in HU.")
    parser.add_argument("--architecture", help="Another network than the bundle's, with random weights.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=16)
    settings = parser.parse_args()
    torch.manual_seed(0)
    config = ConfigParser.load_config_files(str(BUNDLE / "configs" / "inference.yaml"))
    network, slice_input = prepared(config, settings.architecture)
    begun = time.perf_counter()
    inputs = SlicesOfCased("image", slice_input)({"image": settings.study})["image"].as_tensor()
    preparing = time.perf_counter() - begun
    say("read and prepare", len(inputs), preparing)
    inferer = SliceInferer(settings.batch_size, flips=config["flips"])
    ways: dict[str, Callable[[], torch.Tensor]] = {
        "ours": lambda: inferer(inputs, network),
        "plain loop": lambda: torch.cat([one_by_one(network, image, config["flips"]) for image in inputs]),
    }
    found, least = {}, float("inf")
    for number in range(settings.rounds):
        for name, way in ways.items():
            begun = time.perf_counter()
            found[name] = ToProbabilitiesd("pred")({"pred": way()})["pred"]
            seconds = time.perf_counter() - begun
            least = min(least, seconds) if name == "ours" else least
            say(name, len(inputs), seconds, round=number)
    say("ours from file to probabilities", len(inputs), preparing + least)
    difference = float((found["ours"] - found["plain loop"]).abs().max())
    print(json.dumps({"what": "largest difference of a probability", "value": round(difference, 5)}), flush=True)


def prepared(config: dict[str, Any], architecture: str | None) -> tuple[torch.nn.Module, SliceInput]:
    """The network, with the bundle's weights where it is the bundle's, and what it is given."""
    keys = ("region", "blank_outside", "windows", "scaling", "image_window", "tones", "slices", "copies")
    slice_input = SliceInput(image_size=config["image_size"], **{key: config[key] for key in keys})
    name, outputs = architecture or config["architecture"], len(config["classes"])
    network = classifier(name, slice_input.channels, outputs, dropout=config["dropout"])
    if architecture is None:
        network.load_state_dict(torch.load(BUNDLE / "models" / "model.pt", weights_only=True))
    return network.eval().to(memory_format=torch.channels_last), slice_input


def one_by_one(network: torch.nn.Module, image: torch.Tensor, flips: list[list[int]]) -> torch.Tensor:
    """Logits `(1, K)` of one slice and its mirrored views, in float32."""
    with torch.no_grad():
        views = [network(image[None].flip(axes) if axes else image[None]) for axes in flips]
    return torch.stack(views).mean(dim=0)


def say(what: str, slices: int, seconds: float, **more: int) -> None:
    """Prints seconds and slices a second."""
    rate = {"seconds": round(seconds, 3), "slices_per_second": round(slices / seconds, 1)}
    print(json.dumps({"what": what, **more, "slices": slices, **rate}), flush=True)


if __name__ == "__main__":
    main()
