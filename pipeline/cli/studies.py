"""What the commands that run a bundle over studies share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

SHARED = ("mode", "device", "series_uid", "pattern", "allow", "engine", "jobs")
"""Options that are keys of the config as they stand."""

MODES = "fast: reduced precision where the device has it, and the region of interest alone; exact: float32, all of it."


def studies_to_results(bundle: str, *, studies: str, pattern: str) -> Callable[[Command], Command]:
    """Gives a command the arguments and options that segmenting and classifying have in common.

    The command is called with its own options alone, and returns the overlays of the bundle and the values of config
    keys that follow from them; then the bundle's inference workflow runs.

    Args:
        bundle: The bundle by default.
        studies: How the argument is called in the help.
        pattern: An example of `--pattern`.
    """

    def decorate(command: Command) -> Command:
        @wraps(command)
        def run(
            studies: tuple[str, ...], output: Path, bundle: str, weights: tuple[Path, ...], log_json: bool, **given: Any
        ) -> None:
            shared = {
                key: given.pop(key) for key in ("mode", "device", "series_uid", "pattern", "allow", "engine", "jobs")
            }
            overlays, keys = command(**given)
            shared |= {"dataset_dir": list(studies) if len(studies) > 1 else studies[0], "output_dir": str(output)}
            shared |= {"allow": list(shared["allow"]), "log_json": log_json}
            if weights:
                shared["weights"] = str(weights[0]) if len(weights) == 1 else [str(path) for path in weights]
            _run(bundle, [*overlays, *(["ensemble.yaml"] if len(weights) > 1 else [])], shared | keys)
            click.echo(output)

        for option in reversed(_options(bundle, studies, pattern)):
            run = option(run)
        return run  # type: ignore[return-value]  # wraps() keeps what click reads: name and docstring

    return decorate


def _options(bundle: str, studies: str, pattern: str) -> list[Callable[..., Any]]:
    return [
        click.argument("studies", metavar=f"{studies}...", nargs=-1, required=True),
        click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder for the results."),
        click.option("--bundle", default=bundle, show_default=True, help="A bundle's name or folder."),
        click.option(
            "--weights",
            multiple=True,
            type=click.Path(path_type=Path),
            help="Weights of your own, not the bundle's; several answer together.",
        ),
        click.option("--mode", type=click.Choice(["fast", "exact"]), default="fast", show_default=True, help=MODES),
        click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N."),
        click.option("--series-uid", help="The DICOM series to read where a study holds several."),
        click.option("--pattern", help=f"Picks files of a folder, such as {pattern!r}."),
        click.option("--allow", multiple=True, metavar="KIND", help="What the reader would otherwise refuse."),
        click.option(
            "--engine",
            type=click.Choice(["local", "ray"]),
            default="local",
            show_default=True,
            help="Workers on this machine, or on a Ray cluster (RAY_ADDRESS).",
        ),
        click.option(
            "--jobs",
            type=click.IntRange(min=1),
            metavar="N",
            help="Workers, each with a model of its own; by default one a GPU, or one.",
        ),
        click.option("--log-json", is_flag=True, help="Log one JSON object a line on stderr."),
    ]


def _run(bundle: str, overlays: Sequence[str], keys: dict[str, Any]) -> None:
    from pipeline.cli.imports import imported_for_good

    with imported_for_good():
        from pipeline.bundle import find_bundle, run_workflow
    from pipeline.bundle.errors import INTERRUPTED, INTERRUPTED_MESSAGE, say_error
    from pipeline.bundle.logs import json_logs
    from pipeline.cli.logs import log_to_stderr

    log_to_stderr()
    json_logs(keys["log_json"])
    try:
        run_workflow(find_bundle(bundle), ["inference.yaml", *overlays], **keys)
    except KeyboardInterrupt:
        say_error(INTERRUPTED_MESSAGE)
        sys.exit(INTERRUPTED)
