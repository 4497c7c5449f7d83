"""Which number format a network runs in on a device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Literal, get_args

import torch

from transforms.errors import SettingError

Precision = Literal["auto", "float32", "bfloat16", "float16"]


def check_precision(precision: Precision) -> Precision:
    """Makes sure that a name of :data:`Precision` is one, before any work is done.

    Raises:
        SettingError: When the name is unknown.
    """
    if precision not in get_args(Precision):
        raise SettingError(
            "the precision is unknown", where="precision", found=precision, expected=", ".join(get_args(Precision))
        )
    return precision


def resolve(precision: Precision, device: torch.device) -> torch.dtype:
    """The number format that `precision` means on a device.

    `auto` is float16 on CUDA, bfloat16 on processors that compute in it (AVX512-BF16, AMX), else float32.

    Raises:
        SettingError: When the name is unknown.
    """
    if check_precision(precision) != "auto":
        chosen: torch.dtype = getattr(torch, precision)
        return chosen
    if device.type == "cuda":
        return torch.float16
    return torch.bfloat16 if _computes_in_bfloat16() else torch.float32


def _computes_in_bfloat16() -> bool:
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """A context in which networks compute in `precision` on a device; parameters stay float32."""
    dtype = resolve(precision, device)
    if dtype == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, dtype=dtype)


@contextmanager
def as_precise_as(dtype: torch.dtype) -> Iterator[None]:
    """A context in which float32 on CUDA means float32, not the 10 bits of TF32 that convolutions take by default."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = before and dtype != torch.float32
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before
