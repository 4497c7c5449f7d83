"""What makes the results of a workflow: its configuration, but for where and how it runs."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from copy import deepcopy
from types import FrameType
from typing import Any

from monai.bundle import ConfigParser

from transforms.errors import SettingError

PLACES = ("bundle_root", "dataset_dir", "output_dir", "weights", "shipped_weights", "weights_sha256")
"""Keys that name files: the weights count by their hash, the input by its own identity."""

CHOICE = ("pattern", "series_uid", "cases")
"""Keys that say which cases there are, not what becomes of one."""

RUNNING = (
    "device", "run_device", "engine", "jobs", "volumes_in_memory", "cluster", "progress", "log_json", "send",
)  # fmt: skip
"""Keys that say where, how fast and how loudly."""

PARTS = (
    "imports", "_meta_", "settings", "bundle_identity", "network", "dataset", "dataloader", "handlers",
    "open_cases", "workers", "evaluator", "initialize", "run",
)  # fmt: skip
"""Keys that put the workflow together from the others."""


def running_config() -> dict[str, Any]:
    """The configuration that is being instantiated, overlays and values of the command line included.

    To be called, however deep, by what a config names: MONAI hands a config's parts no reference to the whole, but
    its parser is on the stack.

    Raises:
        SettingError: When nothing is being instantiated from a configuration.
    """
    frame: FrameType | None = inspect.currentframe()
    while frame is not None:
        parser = frame.f_locals.get("self")
        if isinstance(parser, ConfigParser):
            config: Any = parser.config
            return dict(deepcopy(config))
        frame = frame.f_back
    raise SettingError("this can only be made from a bundle's configuration", expected="a config that names it")


def result_settings(config: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The part of a configuration that results depend on, as it stands in the files, as plain JSON.

    Args:
        config: The whole; by default that which is being instantiated.
    """
    whole = running_config() if config is None else config
    left_out = {*PLACES, *CHOICE, *RUNNING, *PARTS}
    kept = {key: value for key, value in whole.items() if key not in left_out}
    plain: dict[str, Any] = json.loads(json.dumps(kept, default=str))
    return plain
