"""The network compiled by OpenVINO, for processors; `pip install ctvol[openvino]`."""

from __future__ import annotations

import importlib.util
import threading
from typing import Any

import torch
from torch import nn

from pipeline.inference.backends.artefacts import artefact_folder, weights_hash
from pipeline.inference.backends.protocol import Compiled, Target

_PRECISION = {torch.float32: "f32", torch.bfloat16: "bf16", torch.float16: "f16"}


class OpenVINO:
    """Compiles once for each weights and part shape; the result is kept in the user's cache folder."""

    concurrent = True

    def why_not(self, network: nn.Module, target: Target) -> str | None:
        """Says so on other devices than processors, and where the package is not installed."""
        if target.device.type != "cpu":
            return f"it is for processors, not for {target.device.type}"
        if importlib.util.find_spec("openvino") is None:
            return "it is not installed (pip install ctvol[openvino])"
        return None

    def compile(self, network: nn.Module, target: Target) -> Compiled:
        """A compiled model with one inference request a thread."""
        import openvino

        core = openvino.Core()
        folder = artefact_folder("openvino")
        model = _model(network, target, folder)
        compiled = core.compile_model(
            str(model),
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": _PRECISION[target.dtype],
                "CACHE_DIR": str(folder),
                "INFERENCE_NUM_THREADS": torch.get_num_threads(),
                "NUM_STREAMS": torch.get_num_threads(),
            },
        )
        return _Requests(compiled)


class _Requests:
    """One request a thread: they are not to be shared."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._own = threading.local()

    def __call__(self, parts: torch.Tensor) -> torch.Tensor:
        request = getattr(self._own, "request", None)
        if request is None:
            request = self._own.request = self._compiled.create_infer_request()
        logits = []
        for part in parts.float():
            request.infer([part[None].contiguous().numpy()])
            logits.append(torch.from_numpy(request.get_output_tensor().data.copy()))
        return torch.cat(logits)


def _model(network: nn.Module, target: Target, folder: Any) -> Any:
    """The network as a file of OpenVINO's, made where it is not there yet."""
    import openvino

    size = "x".join(map(str, target.part_shape))
    path = folder / f"{weights_hash(network)}-{size}-{openvino.__version__.split('-')[0]}.xml"
    if not path.exists():
        example = torch.zeros((1, *target.part_shape))
        plain = _contiguous(network)
        model = openvino.convert_model(plain, example_input=example, input=[example.shape])
        temporary = path.with_name(f".{threading.get_ident()}-{path.name}")
        openvino.save_model(model, str(temporary), compress_to_fp16=False)
        temporary.with_suffix(".bin").replace(path.with_suffix(".bin"))
        temporary.replace(path)
    return path


def _contiguous(network: nn.Module) -> nn.Module:
    import copy

    return copy.deepcopy(network).to("cpu").eval().to(memory_format=torch.contiguous_format)  # type: ignore[no-any-return,call-overload]
