"""Running a bundle's workflow from Python: the configs say what is done."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from monai.bundle import ConfigWorkflow

from transforms.errors import NotFoundError


def find_bundle(name: str) -> Path:
    """The folder of a bundle.

    Args:
        name: A shipped bundle's name, or the folder of any other.

    Raises:
        NotFoundError: When there is no such bundle.
    """
    shipped = shipped_bundles()
    for folder in (*(one for one in shipped if one.name == name), Path(name)):
        if (folder / "configs" / "metadata.json").is_file():
            return folder
    names = [one.name for one in shipped]
    raise NotFoundError(
        "there is no such bundle", where=name, expected=f"the folder of a bundle, or one of {', '.join(names)}"
    )


def shipped_bundles() -> list[Path]:
    """The folders of the bundles that are installed with this package, in the order of their names."""
    shipped = Path(str(resources.files("bundles")))
    return sorted(path.parent.parent for path in shipped.glob("*/configs/metadata.json"))


def run_workflow(
    bundle: Path, configs: Sequence[str], *, workflow_type: str = "infer", **overrides: Any
) -> ConfigWorkflow:
    """Runs a workflow of a bundle as `python -m monai.bundle run` does.

    Args:
        bundle: The bundle's folder.
        configs: Names of files in its `configs` folder, overlays last.
        workflow_type: `train` or `infer`.
        overrides: Values of config keys. Text is taken as it stands: nothing in it is evaluated.

    Returns:
        The workflow, after it has run.

    Raises:
        NotFoundError: When the bundle has no such config.
    """
    paths = [bundle / "configs" / name for name in configs]
    for path in paths:
        if not path.is_file():
            raise NotFoundError("the bundle has no such configuration", where=path)
    workflow = ConfigWorkflow(
        config_file=[str(path) for path in paths],
        meta_file=str(bundle / "configs" / "metadata.json"),
        logging_file=False,
        workflow_type=workflow_type,
        bundle_root=_literal(str(bundle)),
        **{key: _literal(value) for key, value in overrides.items()},
    )
    hook, on_sigterm = sys.excepthook, signal.getsignal(signal.SIGTERM)
    try:
        workflow.initialize()
        workflow.run()
    finally:
        workflow.finalize()
        # The configs change how this interpreter ends; a caller's stays as it was.
        sys.excepthook = hook
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, on_sigterm)
    return workflow


def _literal(value: Any) -> Any:
    """A value that MONAI's config language takes as it stands: there `$` begins a program, `@` and `%` a reference."""
    if isinstance(value, list):
        return [_literal(item) for item in value]
    if isinstance(value, str) and value.startswith(("$", "@", "%")):
        return f"./{value}"
    return value
