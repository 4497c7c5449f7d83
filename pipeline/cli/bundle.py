"""`ctvol bundle`: what is shipped, whether a bundle keeps to the rules, and a bundle as one file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click


@click.group()
def bundle() -> None:
    """List, verify and pack bundles."""


@bundle.command("list")
def list_() -> None:
    """List the bundles that are shipped: name, version, what they do."""
    from pipeline.bundle.run import shipped_bundles

    for folder in shipped_bundles():
        metadata = json.loads((folder / "configs" / "metadata.json").read_text(encoding="utf-8"))
        click.echo(f"{folder.name:<28} {metadata['version']:<8} {metadata['task']}")


@bundle.command()
@click.argument("name")
def verify(name: str) -> None:
    """Check a bundle, by name or folder, against the rules of MONAI's model zoo; nothing is fetched.

    The exit status is 1 when it breaks one.
    """
    from pipeline.bundle import find_bundle
    from pipeline.bundle.verification import verify_bundle
    from pipeline.cli.logs import log_to_stderr

    log_to_stderr()
    failed = False
    for check in verify_bundle(find_bundle(name)):
        click.echo(f"{check.outcome:<8} {check.rule:<26} {check.detail}")
        failed |= check.outcome == "failed"
    sys.exit(1 if failed else 0)


@bundle.command()
@click.argument("name")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The zip; NAME_vVERSION.zip where none is given.")
def pack(name: str, output: Path | None) -> None:
    """Write a bundle, by name or folder, as a zip that runs wherever ctvol is installed."""
    from pipeline.bundle import find_bundle
    from pipeline.bundle.packing import pack_bundle, version_of

    folder = find_bundle(name)
    click.echo(pack_bundle(folder, output or Path(f"{folder.resolve().name}_v{version_of(folder)}.zip")))
