"""Results as DICOM that other software reads: SEG and TID 1500 SR."""

import lazy_loader as _lazy

# Lazy, because highdicom takes a while to import and most runs write no DICOM.
__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
