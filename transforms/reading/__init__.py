"""Files to HU volumes and label maps."""

import lazy_loader as _lazy

# Lazy, because the transforms import MONAI, which takes seconds, and headers are read without it.
__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
