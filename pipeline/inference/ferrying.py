"""Voxels to the device that computes, and logits back, while that is at work."""

from __future__ import annotations

import torch

PIECE_BYTES = 2**22
"""Of a volume, on its way to a GPU at a time."""


class Upload:
    """A volume that is brought to a device plane by plane, as far as it is asked for.

    From host memory that the system may move elsewhere, a GPU copies slowly, and only when it has nothing else to do.
    So pieces are put into one of two small buffers that stay where they are, and the GPU fetches them between two
    batches: only the planes of the first patches are waited for.

    Args:
        volume: `(C, X, Y, Z)`.
        device: Where it is needed; nothing is copied where it is there already.
    """

    def __init__(self, volume: torch.Tensor, device: torch.device) -> None:
        self._here = volume
        self._there = volume if volume.device == device else torch.empty_like(volume, device=device)
        self._planes = volume.shape[1] if volume.device == device else 0
        self._buffers = (_Buffer(device, volume.dtype), _Buffer(device, volume.dtype))
        self._copies = 0

    def until(self, plane: int) -> torch.Tensor:
        """The volume on the device, where all planes before one along X are there."""
        step = max(1, PIECE_BYTES // max(1, self._here[:, :1].nbytes))
        while self._planes < plane:
            part = slice(self._planes, min(self._planes + step, self._here.shape[1]))
            self._buffers[self._copies % 2].send(self._here[:, part], self._there[:, part])
            self._planes, self._copies = part.stop, self._copies + 1
        return self._there


class _Buffer:
    """Host memory that a GPU can read on its own; elsewhere nothing, and copies are made at once."""

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        self._cuda = device.type == "cuda"
        self._dtype = dtype
        self._memory: torch.Tensor | None = None
        self._sent: torch.cuda.Event | None = None

    def send(self, here: torch.Tensor, there: torch.Tensor) -> None:
        if not self._cuda or here.device.type != "cpu" or here.nbytes > PIECE_BYTES:
            there.copy_(here)
            return
        if self._memory is None or self._sent is None:
            self._memory = torch.empty(PIECE_BYTES // here.itemsize, dtype=self._dtype, pin_memory=True)
            self._sent = torch.cuda.Event()  # type: ignore[no-untyped-call]
        else:
            self._sent.synchronize()
        staged = self._memory[: here.numel()].view(here.shape).copy_(here)
        there.copy_(staged, non_blocking=True)
        self._sent.record(torch.cuda.current_stream(there.device))


class Download:
    """Logits of a batch on their way to where they are gathered.

    Args:
        logits: `(N, K, ...)`, where they were computed.
        device: Where they are wanted.
    """

    def __init__(self, logits: torch.Tensor, device: torch.device) -> None:
        self._done: torch.cuda.Event | None = None
        self._there = logits
        if logits.device.type == "cuda" and device.type == "cpu":
            self._there = torch.empty(logits.shape, dtype=logits.dtype, pin_memory=True)
            self._there.copy_(logits, non_blocking=True)
            self._done = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._done.record(torch.cuda.current_stream(logits.device))
        elif logits.device != device:
            self._there = logits.to(device)

    def wait(self) -> torch.Tensor:
        """The logits, once they have arrived."""
        if self._done is not None:
            self._done.synchronize()
        return self._there


def brought(batch: torch.Tensor, device: torch.device) -> torch.Tensor:
    """A batch on a device, without waiting for what that is doing."""
    if device.type == "cuda" and batch.device.type == "cpu":
        return batch.pin_memory().to(device, non_blocking=True)
    return batch.to(device)
