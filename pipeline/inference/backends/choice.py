"""Which backend computes a network."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any, Literal, get_args

from torch import nn

from pipeline.inference.backends.captured import Captured
from pipeline.inference.backends.module import AsItIs
from pipeline.inference.backends.openvino import OpenVINO
from pipeline.inference.backends.protocol import Backend, Target
from pipeline.inference.backends.rewritten import Rewritten
from pipeline.inference.backends.tensorrt import TensorRT
from transforms.errors import SettingError

logger = logging.getLogger(__name__)

BackendName = Literal["auto", "module", "torch", "openvino", "tensorrt"]
"""`module`: the network as it is. `torch`: rewritten. `auto`: `torch` where it can, else `module`."""

_BACKENDS: dict[str, Backend] = {"module": AsItIs(), "openvino": OpenVINO(), "tensorrt": TensorRT()}
_REWRITTEN: dict[str, Backend] = {"cpu": Rewritten(), "cuda": Captured()}


def check_backend(name: BackendName) -> BackendName:
    """Makes sure that a name of :data:`BackendName` is one, before any work is done.

    Raises:
        SettingError: When the name is unknown.
    """
    if name not in get_args(BackendName):
        raise SettingError(
            "the backend is unknown", where="backend", found=name, expected=", ".join(get_args(BackendName))
        )
    return name


def choose(name: BackendName, network: Any, target: Target) -> Backend:
    """The backend of a name; where it cannot be used, that of `auto`, and a warning unless the name is `auto`.

    Args:
        name: See :data:`BackendName`.
        network: What is to be computed; only modules can be compiled.
        target: What for.
    """
    backends = {**_BACKENDS, "torch": _REWRITTEN.get(target.device.type, _REWRITTEN["cpu"])}
    for one in () if name == "module" else dict.fromkeys((name, "torch")):
        if one != "auto":
            why_not = _why_not(backends[one], network, target)
            if why_not is None:
                return backends[one]
            if one == name:
                _say(one, why_not)
    return backends["module"]


def _why_not(backend: Backend, network: Any, target: Target) -> str | None:
    return backend.why_not(network, target) if isinstance(network, nn.Module) else "the network is no module"


@cache
def _say(name: str, why_not: str) -> None:
    """Once a process, not once a case."""
    logger.warning("backend %s is not used: %s; the network runs in torch instead", name, why_not)
