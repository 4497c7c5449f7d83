"""Lets MONAI Label 0.8.5 run beside pydicom 3 and the CPU build of PyTorch. Loaded when an interpreter starts.

`pydicom_seg`, which MONAI Label imports, asks for a module that pydicom 3 has no more: its names are in `pydicom.uid`.
`torchvision` of the package index is linked to CUDA; where its operators cannot be loaded, it asks for two that must
have been declared. Both happen when the module in question is imported, and only then.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.abc
import importlib.machinery
import sys
from pathlib import Path
from types import ModuleType

OLD_UIDS = "pydicom._storage_sopclass_uids"
OPERATORS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


class _Uids(importlib.abc.Loader):
    def exec_module(self, module: ModuleType) -> None:
        names = vars(importlib.import_module("pydicom.uid"))
        vars(module).update({name: value for name, value in names.items() if not name.startswith("__")})


class Finder(importlib.abc.MetaPathFinder):
    """Answers for one module, and prepares for another."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        """As importlib asks."""
        if name == OLD_UIDS:
            return importlib.machinery.ModuleSpec(name, _Uids())
        if name == "torchvision":
            sys.meta_path.remove(self)
            try:
                declare_operators(importlib.machinery.PathFinder.find_spec(name))
            finally:
                sys.meta_path.insert(0, self)
        return None


def declare_operators(spec: importlib.machinery.ModuleSpec | None) -> None:
    """Declares torchvision's operators where its library cannot be loaded, so that all else of it can be used."""
    if spec is None or not spec.submodule_search_locations:
        return
    import torch

    for library in Path(next(iter(spec.submodule_search_locations))).glob("_C*.so"):
        try:
            ctypes.CDLL(str(library))
        except OSError:
            for name, schema in OPERATORS.items():
                torch.library.define(f"torchvision::{name}", schema)
        return


sys.meta_path.insert(0, Finder())
