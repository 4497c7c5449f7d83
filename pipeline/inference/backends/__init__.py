"""Ways to compute a network, behind one protocol: as it is, rewritten in torch, by OpenVINO, by TensorRT."""

from pipeline.inference.backends.choice import BackendName, check_backend, choose
from pipeline.inference.backends.protocol import Backend, Compiled, Target

__all__ = ["Backend", "BackendName", "Compiled", "Target", "check_backend", "choose"]
