"""How many slices a second the slice classifier takes from a volume to probabilities, against a plain loop.

Prints one JSON object a line: ours (batches, reduced precision where the processor has it) and the plain loop (each
slice by itself through the same network in float32), in turns in one run. Both give the same network the same inputs.

    python benchmarks/classification.py --study STUDY --rounds 3
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import torch

from pipeline.inference.slices import SliceInferer
from pipeline.networks.classifiers import classifier
from transforms.slices import SliceInput, SlicesOfCased, ToProbabilitiesd


def main() -> None:
    """Measures both ways in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", required=True, help="A chest CT in HU.")
    parser.add_argument("--architecture", default="resnet18_fpn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=16)
    settings = parser.parse_args()
    torch.manual_seed(0)
    network = classifier(settings.architecture, 1, 2).eval().to(memory_format=torch.channels_last)
    begun = time.perf_counter()
    inputs = SlicesOfCased("image", SliceInput())({"image": settings.study})["image"].as_tensor()
    print(json.dumps({"what": "read and prepare", "slices": len(inputs), **rate(len(inputs), begun)}), flush=True)
    inferer = SliceInferer(settings.batch_size)
    ways: dict[str, Callable[[], torch.Tensor]] = {
        "ours": lambda: inferer(inputs, network),
        "plain loop": lambda: torch.cat([one_by_one(network, image) for image in inputs]),
    }
    found = {}
    for number in range(settings.rounds):
        for name, way in ways.items():
            begun = time.perf_counter()
            found[name] = ToProbabilitiesd("pred")({"pred": way()})["pred"]
            line = {"what": name, "round": number, "slices": len(inputs), **rate(len(inputs), begun)}
            print(json.dumps(line), flush=True)
    difference = float((found["ours"] - found["plain loop"]).abs().max())
    print(json.dumps({"what": "largest difference of a probability", "value": round(difference, 5)}), flush=True)


def one_by_one(network: torch.nn.Module, image: torch.Tensor) -> torch.Tensor:
    """Logits `(1, K)` of one slice, in float32."""
    with torch.no_grad():
        logits: torch.Tensor = network(image[None])
    return logits


def rate(slices: int, begun: float) -> dict[str, float]:
    """Seconds since a time, and slices a second."""
    seconds = time.perf_counter() - begun
    return {"seconds": round(seconds, 3), "slices_per_second": round(slices / seconds, 1)}


if __name__ == "__main__":
    main()
