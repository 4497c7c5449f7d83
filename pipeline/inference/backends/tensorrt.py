"""The network compiled by TensorRT, through MONAI; `pip install ctvol[trt]`."""

from __future__ import annotations

import copy
import importlib.util

import torch
from torch import nn

from pipeline.inference.backends.artefacts import artefact_folder, weights_hash
from pipeline.inference.backends.protocol import Compiled, Target

_PRECISION = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}
_PACKAGES = ("tensorrt", "polygraphy", "onnx", "cuda")

LARGEST_BATCH = 8
"""Parts that an engine takes at a time, at most."""


class TensorRT:
    """Builds an engine once for each weights, part shape and device; it is kept in the user's cache folder."""

    concurrent = False

    def why_not(self, network: nn.Module, target: Target) -> str | None:
        """Says so on other devices than CUDA, and where a package is not installed."""
        if target.device.type != "cuda":
            return f"it is for NVIDIA GPUs, not for {target.device.type}: choose device cuda where there is one"
        missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
        if missing:
            return f"{', '.join(missing)} not installed (pip install ctvol[trt])"
        return None

    def compile(self, network: nn.Module, target: Target) -> Compiled:
        """The network with its forward replaced by an engine, which MONAI builds at the first call."""
        from monai.networks.trt_compiler import trt_compile

        size = "x".join(map(str, target.part_shape))
        device = torch.cuda.get_device_name(target.device).replace(" ", "-")
        name = f"{weights_hash(network)}-{size}-{_PRECISION[target.dtype]}-{device}"
        shape = list(target.part_shape)
        engine = trt_compile(
            copy.deepcopy(network).eval(),
            str(artefact_folder("tensorrt") / name),
            args={
                "method": "onnx",
                "precision": _PRECISION[target.dtype],
                "input_profiles": [{"x": [[1, *shape], [4, *shape], [LARGEST_BATCH, *shape]]}],
                "fallback": True,
            },
        )

        def run(parts: torch.Tensor) -> torch.Tensor:
            pieces = [parts[first : first + LARGEST_BATCH].float() for first in range(0, len(parts), LARGEST_BATCH)]
            return torch.cat([engine(piece) for piece in pieces])

        return run
