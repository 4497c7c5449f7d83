"""Body and lung masks from Hounsfield units, without weights."""

from transforms.anatomy.body import body_mask
from transforms.anatomy.lesions_at_border import with_border_lesions
from transforms.anatomy.lungs import lung_masks
from transforms.anatomy.native import native_lungs

__all__ = ["body_mask", "lung_masks", "native_lungs", "with_border_lesions"]
