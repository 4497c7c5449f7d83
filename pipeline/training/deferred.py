"""Training samples whose augmentation is done on the device where they are trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import torch
from monai.data.utils import list_data_collate
from monai.engines.utils import default_prepare_batch

from transforms.augmentation import PATCH_KEY, DeferredPatch
from transforms.errors import SettingError

AugmentOn = Literal["auto", "cpu", "device"]


def augments_on_device(where: AugmentOn, device: torch.device) -> bool:
    """Whether samples are deformed and changed on the device of the training, not where they are loaded.

    Args:
        where: `auto` is on CUDA; on processors loading workers have cores of their own for it.
        device: Of the training.

    Raises:
        SettingError: When the word is unknown.
    """
    if where not in get_args(AugmentOn):
        raise SettingError(
            "the place of augmentation is unknown", where="augment_on", found=where,
            expected=", ".join(get_args(AugmentOn)),
        )  # fmt: skip
    return where == "device" or (where == "auto" and device.type == "cuda")


def collate_samples(samples: Sequence[Any]) -> Any:
    """A batch of samples, as MONAI makes it; deferred patches stay a list, for their boxes differ in size."""
    if not (isinstance(samples[0], Mapping) and PATCH_KEY in samples[0]):
        return list_data_collate(samples)
    return {key: [sample[key] for sample in samples] for key in samples[0]}


def prepare_samples(
    batch: Mapping[str, Any], device: torch.device | str | None = None, non_blocking: bool = False, **kwargs: Any
) -> tuple[Any, Any]:
    """Image and label of a batch on the device, for MONAI's trainer; deferred patches are sampled there.

    Args:
        batch: Of :func:`collate_samples`.
        device: Of the training.
        non_blocking: Whether copies from pinned memory are not waited for.
        **kwargs: See `monai.engines.utils.default_prepare_batch`.
    """
    if PATCH_KEY not in batch:
        image, label = default_prepare_batch(dict(batch), device, non_blocking, **kwargs)
        return image, label
    pairs = [_pair(patch.to(device, non_blocking)) for patch in batch[PATCH_KEY]]
    images, labels = zip(*pairs, strict=True)
    return torch.stack(images), torch.stack(labels)


def _pair(patch: DeferredPatch) -> tuple[torch.Tensor, torch.Tensor]:
    sampled = patch.sample()
    label = sampled.pop("label")
    return torch.cat(list(sampled.values())), label
