"""What is searched: config keys and the values that they may take."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from transforms.errors import SettingError, UnreadableError


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One config key that is searched.

    Attributes:
        key: The key.
        choices: Its values, as JSON; empty for a range.
        low: Lower end of a range.
        high: Upper end.
        step: Distance of the values of a range; None for all between.
        log: Whether orders of magnitude are drawn alike.
        whole: Whether the values are whole numbers.
    """

    key: str
    choices: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    step: float | None = None
    log: bool = False
    whole: bool = False

    def grid(self) -> list[Any]:
        """All values.

        Raises:
            SettingError: For a range without steps.
        """
        if self.choices:
            return list(self.choices)
        step = self.step or (1 if self.whole else None)
        if step is None:
            raise SettingError(
                "a grid needs single values", where=self.key, found=f"{self.low:g} to {self.high:g}",
                expected="`choices`, or a `step`",
            )  # fmt: skip
        values = np.arange(self.low, self.high + step / 2, step)
        return [int(value) for value in values] if self.whole else [float(round(value, 12)) for value in values]

    def suggest(self, trial: Any) -> Any:
        """Asks Optuna's trial for a value, as the config takes it."""
        if self.choices:
            return json.loads(trial.suggest_categorical(self.key, list(self.choices)))
        if self.whole:
            return trial.suggest_int(self.key, int(self.low), int(self.high), step=int(self.step or 1), log=self.log)
        return trial.suggest_float(self.key, self.low, self.high, step=self.step, log=self.log)


@dataclass(frozen=True, kw_only=True)
class Space:
    """What a search varies, and what it fixes.

    Attributes:
        parameters: The keys that are searched.
        fixed: Config key to value, the same in all trials.
    """

    parameters: tuple[Parameter, ...]
    fixed: Mapping[str, Any] = field(default_factory=dict)


def read_space(path: str | PathLike[str]) -> Space:
    """Reads a search space.

    ::

        search:
          learning_rate: {low: 0.0001, high: 0.01, log: true}
          train_batch_size: {low: 1, high: 4}
          patch_size: {choices: [[64, 64, 64], [96, 96, 96]]}
        fixed: {max_minutes: 10}

    Args:
        path: A YAML file.

    Raises:
        UnreadableError: When it is no such file.
        SettingError: When an entry makes no sense.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise UnreadableError("the search space cannot be read", where=path, found=str(error)) from error
    if not isinstance(content, dict) or not isinstance(content.get("search"), dict) or not content["search"]:
        raise UnreadableError(
            "the file names nothing to search", where=path,
            expected="`search:` with config keys, such as learning_rate: {low: 0.0001, high: 0.01, log: true}",
        )  # fmt: skip
    unknown = set(content) - {"search", "fixed"}
    if unknown:
        raise SettingError("the search space has unknown keys", where=path, found=", ".join(sorted(map(str, unknown))))
    parameters = tuple(_parameter(str(key), entry, path) for key, entry in content["search"].items())
    return Space(parameters=parameters, fixed=content.get("fixed") or {})


def _parameter(key: str, entry: Any, path: str | PathLike[str]) -> Parameter:
    wrong = SettingError(
        f"the entry of {key} makes no sense", where=path, found=json.dumps(entry, default=str),
        expected="{choices: [...]}, or {low: ..., high: ...} with step or log",
    )  # fmt: skip
    if not isinstance(entry, dict):
        raise wrong
    if set(entry) == {"choices"} and isinstance(entry["choices"], list) and entry["choices"]:
        return Parameter(key=key, choices=tuple(json.dumps(value) for value in entry["choices"]))
    low, high, step, log = (entry.get(name) for name in ("low", "high", "step", "log"))
    numbers = [value for value in (low, high, step) if value is not None]
    plain = all(isinstance(value, int | float) and not isinstance(value, bool) for value in numbers)
    if set(entry) - {"low", "high", "step", "log"} or low is None or high is None or not plain or not low < high:
        raise wrong
    if (step is not None and (log or step <= 0)) or (log and low <= 0):
        raise wrong
    whole = all(isinstance(value, int) for value in numbers)
    return Parameter(key=key, low=low, high=high, step=step, log=bool(log), whole=whole)
