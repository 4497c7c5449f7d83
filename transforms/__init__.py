"""Data dictionaries in, data dictionaries out: reading, HU windows, anatomy, grids, slabs, augmentation, restoring."""

import lazy_loader as _lazy

# Lazy, because importing MONAI takes seconds and `ctvol --help` must not.
__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
