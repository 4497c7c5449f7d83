"""Studies to cases, data sets to lists of items."""

import lazy_loader as _lazy

# Lazy: finding cases needs no torch, stacks of slices do.
__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
