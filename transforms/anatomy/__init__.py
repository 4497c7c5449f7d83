"""Body and lung masks from Hounsfield units, without weights."""

from transforms.anatomy.body import body_mask
from transforms.anatomy.lungs import lung_masks

__all__ = ["body_mask", "lung_masks"]
