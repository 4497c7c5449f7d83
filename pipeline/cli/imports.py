"""Importing what a command works with, for the whole life of its process."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def imported_for_good() -> Iterator[None]:
    """Imports MONAI and torch in the block without looking for garbage, and sets aside what they made.

    They make 0.8 million objects that stay until the process ends. Python's collector would go through all of them a
    few times while they come, at each of its full passes after that, and more than once when the process ends: together
    seconds. What is set aside (:func:`gc.freeze`) it leaves alone; what comes later it collects as ever. Where MONAI is
    there already, the objects of others are too, and nothing is done.
    """
    if "monai" in sys.modules:
        yield
        return
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collecting:
            gc.enable()
