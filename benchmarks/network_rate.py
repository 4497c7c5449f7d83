"""Patches a second of the default 3D network alone, with all data on the device: what the patch stage can reach.

    python benchmarks/network_rate.py [--device cuda] [--batches 1 4 8 16] [--seconds 0.5] [--compile]

Each way of computing it prints one JSON object a batch size: milliseconds a patch, seconds of the first call (libraries
choose their algorithms there, and graphs are captured), gigabytes of the device at the most, and the mean error of a
logit against float32, in standard deviations of the logits.
"""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from contest import machine, say
from monai.networks.nets import UNet
from torch import nn

from pipeline.inference import resolve
from pipeline.inference.backends.captured import Replayed, cuda_graph
from pipeline.inference.backends.folding import FoldedTop
from pipeline.inference.backends.lean import lean

Run = Callable[[torch.Tensor], torch.Tensor]


def main() -> None:
    """Measures all ways, one after the other."""
    given = _arguments()
    device = torch.device(given.device)
    cuda = device.type == "cuda"
    name = torch.cuda.get_device_name(device) if cuda else "cpu"
    say(benchmark="network_rate", device=name, patch=given.patch, **machine("torch", "monai", "numpy"))
    torch.manual_seed(0)
    network = UNet(3, 1, 4, (16, 32, 64, 128, 256), (2,) * 4, num_res_units=2, norm="instance").eval().to(device)
    for way, make in _ways(device, given.compile).items():
        for batch in given.batches:
            parts = torch.rand((batch, 1, *given.patch), device=device)
            say(way=way, batch=batch, **_tried(make, network, parts, given.seconds))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 8, 16])
    parser.add_argument("--patch", type=int, nargs=3, default=[96, 96, 96])
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--compile", action="store_true", help="also by torch.compile")
    return parser.parse_args()


def _ways(device: torch.device, compiled: bool) -> dict[str, Callable[[nn.Module], Run]]:
    dtype = resolve("auto", device)
    ways: dict[str, Callable[[nn.Module], Run]] = {
        "as it is, float32": lambda network: network,
        "as it is, autocast": lambda network: _autocast(network, device, dtype),
        "rewritten": lambda network: _half(lean(network, dtype), dtype),
        "rewritten, channels first": lambda network: _half(_channels_first(lean(network, dtype)), dtype),
        "rewritten, not folded": lambda network: _half(_unfolded(network, dtype), dtype),
        "rewritten, not folded, channels first": lambda network: _half(
            _channels_first(_unfolded(network, dtype)), dtype
        ),
    }
    if device.type == "cuda":
        ways |= {f"{way}, graph": functools.partial(_graph, make) for way, make in ways.items()}
        tuned = ("rewritten, graph", "rewritten, channels first, graph", "rewritten, not folded, channels first, graph")
        ways |= {f"{way}, cudnn.benchmark": functools.partial(_tuned, ways[way]) for way in tuned}
    if compiled:
        ways["rewritten, compiled"] = lambda network: _half(torch.compile(lean(network, dtype)), dtype)
    return ways


def _half(network: Run, dtype: torch.dtype) -> Run:
    return lambda parts: network(parts.to(dtype))


def _autocast(network: nn.Module, device: torch.device, dtype: torch.dtype) -> Run:
    def run(parts: torch.Tensor) -> torch.Tensor:
        with torch.autocast(device.type, dtype):
            logits: torch.Tensor = network(parts)
        return logits

    return run


def _channels_first(network: nn.Module) -> nn.Module:
    network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return network


def _unfolded(network: nn.Module, dtype: torch.dtype) -> nn.Module:
    with mock.patch.object(FoldedTop, "of", return_value=None):
        return lean(network, dtype)


def _graph(make: Callable[[nn.Module], Run], network: nn.Module) -> Run:
    return Replayed(make(network), cuda_graph)


def _tuned(make: Callable[[nn.Module], Run], network: nn.Module) -> Run:
    run = make(network)

    def tuned(parts: torch.Tensor) -> torch.Tensor:
        torch.backends.cudnn.benchmark = True
        try:
            return run(parts)
        finally:
            torch.backends.cudnn.benchmark = False

    return tuned


def _tried(make: Callable[[nn.Module], Run], network: nn.Module, parts: torch.Tensor, seconds: float) -> dict[str, Any]:
    """The figures of one way, or why there are none."""
    try:
        return _measured(make(network), network, parts, seconds)
    except Exception as error:  # noqa: BLE001  # boundary: the other ways are measured all the same
        return {"failed": f"{type(error).__name__}: {str(error)[:200]}"}


@torch.inference_mode()
def _measured(run: Run, network: nn.Module, parts: torch.Tensor, seconds: float) -> dict[str, Any]:
    with _peak_gb(parts.device) as peak:
        begun = time.perf_counter()
        logits = run(parts)
        _wait(parts.device)
        first = time.perf_counter() - begun
        run(parts)
        _wait(parts.device)
        begun, count = time.perf_counter(), 0
        while time.perf_counter() - begun < seconds:
            for _ in range(8 if parts.device.type == "cuda" else 1):
                run(parts)
                count += len(parts)
            _wait(parts.device)
        rate = (time.perf_counter() - begun) / count
    expected = network(parts[:1])
    error = (logits[:1].float() - expected).abs().mean() / expected.std()
    return {
        "ms_a_patch": round(1000 * rate, 3),
        "first_call": round(first, 3),
        "error": round(float(error), 5),
        **peak,
    }


@contextmanager
def _peak_gb(device: torch.device) -> Iterator[dict[str, float]]:
    found: dict[str, float] = {}
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    yield found
    if device.type == "cuda":
        found["gpu_gb"] = round(torch.cuda.max_memory_allocated(device) / 1e9, 2)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
