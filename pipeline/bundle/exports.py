"""A bundle's network as TorchScript and as ONNX, by MONAI's own commands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.bundle import ConfigParser, ckpt_export, onnx_export

from pipeline.networks import load_weights

_LARGEST = 64
"""Extent of the example where the metadata leave it open."""


def network_of(bundle: Path) -> torch.nn.Module:
    """The bundle's network with its shipped weights, on the CPU, in evaluation mode."""
    parser = ConfigParser()
    parser.read_config(str(bundle / "configs" / "inference.yaml"))
    parser["bundle_root"] = str(bundle)
    network: torch.nn.Module = parser.get_parsed_content("network_def")
    return load_weights(network, bundle / "models" / "model.pt").eval()


def sample_input(metadata: Mapping[str, Any], multiple: int = 1) -> torch.Tensor:
    """Random input as the metadata describe it, `(1, C, *spatial_shape)`.

    Args:
        metadata: Of the bundle.
        multiple: What `n` stands for in sizes such as `32*n`.
    """
    described = metadata["network_data_format"]["inputs"]["image"]
    shape = [_extent(size, multiple) for size in described["spatial_shape"]]
    low, high = described["value_range"]
    noise = torch.rand((1, described["num_channels"], *shape), generator=torch.Generator().manual_seed(multiple))
    image: torch.Tensor = low + (high - low) * noise
    return image


def export_torchscript(bundle: Path, folder: Path) -> Path:
    """Writes `model.ts`, with the metadata inside."""
    path = folder / "model.ts"
    described = ConfigParser.load_config_file(str(bundle / "configs" / "metadata.json"))
    sizes = described["network_data_format"]["inputs"]["image"]["spatial_shape"]
    traced: dict[str, Any] = {}
    if all(isinstance(size, int) for size in sizes):
        # A size that is always the same may be built in: traced, not scripted, which takes any network.
        traced = {"use_trace": True, "input_shape": list(sample_input(described).shape)}
    ckpt_export(filepath=str(path), **traced, **_source(bundle))
    return path


def export_onnx(bundle: Path, folder: Path) -> Path:
    """Writes `model.onnx`, whose batch and spatial sizes are open."""
    path = folder / "model.onnx"
    described = ConfigParser.load_config_file(str(bundle / "configs" / "metadata.json"))
    sample = sample_input(described)
    names = {0: "batch", **{axis: f"size_{axis - 2}" for axis in range(2, sample.ndim)}}
    axes = {"image": names, "pred": dict(names)}
    if len(described["network_data_format"]["outputs"]["pred"]["spatial_shape"]) < sample.ndim - 2:
        axes["pred"] = {0: "batch"}  # a classifier's answer has no extent
    options = {
        "input_names": ["image"],
        "output_names": ["pred"],
        "dynamic_axes": axes,
        "dynamo": False,  # torch's newer exporter builds the example's size in
        "rtol": 1e-3,
        "atol": 1e-4,
    }
    shape = [int(size) for size in sample.shape]
    onnx_export(filepath=str(path), input_shape=shape, use_trace=True, converter_kwargs=options, **_source(bundle))
    return path


def onnx_answer(path: Path, image: torch.Tensor) -> torch.Tensor:
    """What ONNX Runtime makes of an image on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {session.get_inputs()[0].name: np.ascontiguousarray(image)})
    return torch.from_numpy(answer)


def _source(bundle: Path) -> dict[str, Any]:
    configs = bundle / "configs"
    return {
        "net_id": "network_def",
        "ckpt_file": str(bundle / "models" / "model.pt"),
        "meta_file": str(configs / "metadata.json"),
        "config_file": str(configs / "inference.yaml"),
        "bundle_root": str(bundle),
    }


def _extent(size: int | str, multiple: int) -> int:
    """Of a size in metadata: a number, `*` for any, or a multiple such as `32*n`."""
    if isinstance(size, int):
        return size
    described = re.fullmatch(r"\s*(\d+)\s*\*\s*[np]\s*", size)
    return int(described[1]) * multiple if described else _LARGEST * multiple
