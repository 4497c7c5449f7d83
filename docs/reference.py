"""Writes docs/bundle-reference.md from the bundles' configs: `python docs/reference.py`.

Of each key: its value, and what its comment says; a key without a comment that makes an object is said by the first
sentence of what it makes.
"""

from __future__ import annotations

import re
from pathlib import Path
from pydoc import locate

import yaml

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "bundle-reference.md"
ENGINES = ("train", "validate", "choose")
"""Keys whose own keys are listed too, with the id that overrides take: `train#dataset`."""
LONGEST = 110
MEANINGS = {
    "imports": "what expressions may name",
    "bundle_root": "the bundle's folder",
    "dataset_dir": "what is run on: a file, a folder, a list, an address",
    "output_dir": "where results go",
    "run_device": "the device that `device` stands for",
    "classes": "name to value of the label map",
    "activation": "softmax, or sigmoid where each class answers for itself",
    "margin_mm": "around the region of interest, what the network sees of its surroundings",
    "orientation": "of the network grid's axes",
    "spacing_mm": "of the network grid",
    "windows": "HU windows, a channel each",
    "scaling": "of a window to the network's numbers",
    "patch_size": "voxels of the network grid that go through the network at a time",
    "overlap": "share of a patch that the next one covers again",
    "batch_size": "patches, slabs or slices that go through the network at a time",
    "in_channels": "of the network",
    "out_channels": "of the network",
    "shipped_weights": "the bundle's own",
    "weights": "a state dict",
    "weights_sha256": "what the hash of the bundle's own weights must be",
    "exact": "whether `mode` is exact",
    "network": "the network on its device, with weights",
    "network_def": "the network, without weights",
    "initialize": "before the run",
    "run": "the run",
    "finalize": "after the run",
    "max_epochs": "of the training",
    "learning_rate": "the highest of the schedule",
    "weight_decay": "of the optimizer",
    "train_batch_size": "samples a step",
    "seed": "of everything random",
    "warmup": "share of the training in which the learning rate rises",
    "num_workers": "processes that load samples",
    "cache_rate": "share of the cases that stay in memory",
    "preprocessing": "from a path to the network's input",
    "postprocessing": "from logits to the result",
    "handlers": "what is done along the way, and what is written",
    "dataloader": "hands out cases or samples",
    "inferer": "how a whole case goes through the network",
}
"""Of keys that every MONAI bundle has, or that say what they are; a comment in a config comes first."""
KEY = re.compile(r"^( {0,2})([\w#+]+):(.*)$")


def main() -> None:
    """Writes the page."""
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """The whole page."""
    parts = [
        "# Bundle reference",
        "Each key of each config, with its value: what `--key value` changes, and overlays. Written by "
        "`python docs/reference.py` from the configs; a test keeps it up to date. Values that begin with `$` are "
        "Python, `@key` is another key's value, and `train#dataset` is the key `dataset` of `train`.",
    ]
    for bundle in sorted((ROOT / "bundles").glob("*/configs")):
        parts.append(f"## {bundle.parent.name}")
        first = ("inference.yaml", "train.yaml")
        paths = sorted(bundle.rglob("*.yaml"), key=lambda path: (path.name not in first, path.as_posix()))
        said = comments(paths)
        parts += [section(path, bundle, said) for path in paths]
    return "\n\n".join(parts) + "\n"


def comments(paths: list[Path]) -> dict[str, str]:
    """What the configs of a bundle say of a key, wherever they say it first."""
    found: dict[str, str] = {}
    for path in reversed(paths):
        for line in path.read_text(encoding="utf-8").splitlines():
            match = KEY.match(line)
            if match is not None and not match[1] and " # " in match[3]:
                found[match[2]] = match[3].partition(" # ")[2].strip()
    return found


def section(path: Path, folder: Path, said: dict[str, str]) -> str:
    """A config: its opening comment, and a table of its keys."""
    lines = path.read_text(encoding="utf-8").splitlines()
    opening = []
    for line in lines:
        if not line.startswith("#"):
            break
        opening.append(line.removeprefix("#").removeprefix(" "))
    rows = []
    for key, value, own in keys(lines, yaml.safe_load("\n".join(lines))):
        meaning = own or said.get(key, "") or MEANINGS.get(key.rpartition("#")[2], "")
        rows.append(f"| `{key}` | {value} | {meaning} |")
    text = "\n".join(["```text", *opening, "```"]) if opening else ""
    table = "\n".join(["| key | value | what |", "| --- | --- | --- |", *rows])
    return "\n\n".join(part for part in (f"### {path.relative_to(folder).as_posix()}", text, table) if part)


def keys(lines: list[str], content: dict) -> list[tuple[str, str, str]]:
    """Id, value and meaning of each key, in the order of the file."""
    found, parent = [], ""
    for line in lines:
        match = KEY.match(line)
        if match is None:
            continue
        indent, name, rest = match.groups()
        if not indent:
            parent = name
        elif parent not in ENGINES or len(indent) != 2:
            continue
        value = content[parent][name] if indent else content[name]
        comment = rest.partition(" # ")[2].strip()
        key = f"{parent}#{name}" if indent else name
        found.append((key, shown(value), escaped(comment or described(value))))
    return found


def shown(value: object) -> str:
    """A value in a cell."""
    if isinstance(value, dict) and "_target_" in value:
        return f"`{escaped(value['_target_'])}`"
    text = "null" if value is None else value if isinstance(value, str) else str(value)
    text = str(value).lower() if isinstance(value, bool) else text
    return f"`{escaped(text if len(text) <= LONGEST else text[: LONGEST - 1] + '…')}`"


def described(value: object) -> str:
    """The first sentence of what a value makes; nothing for values that make nothing."""
    if not isinstance(value, dict) or "_target_" not in value:
        return ""
    name = value["_target_"]
    made = None if name.startswith("$") else locate(name)
    if made is None or not name.startswith(("pipeline.", "transforms.")):
        return ""
    return (made.__doc__ or "").strip().partition("\n")[0]


def escaped(text: str) -> str:
    """Text that does not end a cell."""
    return text.replace("|", "\\|").replace("\n", " ").replace("`", "'")


if __name__ == "__main__":
    main()
