"""Whether a case is done, and whether what was done still counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from pipeline.cohorts.input_stamp import input_stamp
from pipeline.export import DEFAULT_KINDS, BundleIdentity, read_provenance


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a case stands.

    Attributes:
        record: What its `provenance.json` says where it is done and counts; else `None`.
        stale: Why an earlier result does not count any more; `None` where there is none, or it does.
    """

    record: Mapping[str, Any] | None = None
    stale: str | None = None


class EarlierResults:
    """The cases that an output folder holds already.

    A case is done when its `provenance.json` is there, with all files that it names; it counts while its input, the
    bundle and the settings that results depend on are those of now.

    Args:
        output_dir: Where results go.
        bundle: What makes them.
        settings: What else they depend on: `pipeline.bundle.result_settings`.
    """

    def __init__(self, output_dir: str | PathLike[str], bundle: BundleIdentity, settings: Mapping[str, Any]) -> None:
        self.folder = Path(output_dir)
        self.bundle = bundle
        self.settings = settings

    def __call__(self, item: Mapping[str, Any]) -> Standing:
        """How the case of a data list's item stands."""
        folder = self.folder / str(item["case"])
        record = read_provenance(folder)
        if record is None:
            return Standing()
        why = (
            _missing(folder, record)
            or self._other_bundle(record)
            or self._other_settings(record)
            or _other_input(item, record)
        )
        return Standing(stale=why) if why else Standing(record=record)

    def _other_bundle(self, record: Mapping[str, Any]) -> str | None:
        then, now = record.get("bundle") or {}, asdict(self.bundle)
        changed = [key for key in now if then.get(key) != now[key]]
        if not changed:
            return None
        if changed == ["weights_hash"]:
            return "the weights are others"
        return f"it was made by {then.get('name')} {then.get('version')}, and this is {now['name']} {now['version']}"

    def _other_settings(self, record: Mapping[str, Any]) -> str | None:
        then, now = record.get("settings"), self.settings
        if not isinstance(then, Mapping):
            return "it does not say which settings it was made with"
        for key in dict.fromkeys([*now, *then]):
            if not _same(key, then.get(key), now.get(key)):
                return f"the setting {key} was {_short(then.get(key))} and is {_short(now.get(key))}"
        return None


def _same(key: str, then: Any, now: Any) -> bool:
    if key == "allow":  # to allow more changes nothing about what was not refused
        return set(then or ()) <= set(now or ())
    if key == "write":  # files that are not asked for any more are no reason to make the others again
        return set(DEFAULT_KINDS if then is None else then) >= set(DEFAULT_KINDS if now is None else now)
    return bool(then == now)


def _missing(folder: Path, record: Mapping[str, Any]) -> str | None:
    lost = [name for name in record.get("files") or () if not (folder / str(name)).is_file()]
    return f"{lost[0]} is missing" if lost else None


def _other_input(item: Mapping[str, Any], record: Mapping[str, Any]) -> str | None:
    then = (record.get("input") or {}).get("files")
    return None if then is not None and then == input_stamp(item) else "the input has changed"


def _short(value: Any) -> str:
    text = "not set" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
