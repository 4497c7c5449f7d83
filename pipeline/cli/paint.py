"""`ctvol paint`: a training set of real CTs with painted lesions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("studies", nargs=-1, required=True, metavar="STUDY...")
@click.option("-o", "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder to write.")
@click.option(
    "--versions", type=click.IntRange(min=1), default=12, show_default=True, help="Painted versions of each CT."
)
@click.option(
    "--validation", type=click.IntRange(min=0), default=1, show_default=True, help="How many of them validate."
)
@click.option("--healthy", type=click.FloatRange(0, 1), default=0.15, show_default=True, help="Share left unpainted.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of all that is drawn.")
@click.option(
    "--parts", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON: for a case's name the boxes of it without disease, [[[x0, x1], [y0, y1], [z0, z1]], ...] in RAS+ mm.",
)  # fmt: skip
@click.option(
    "--add", multiple=True, type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A data set whose cases are listed too; give it again for more.",
)  # fmt: skip
def paint(
    studies: tuple[str, ...],
    out: Path,
    versions: int,
    validation: int,
    healthy: float,
    seed: int,
    parts: Path | None,
    add: tuple[Path, ...],
) -> None:
    """Paint lesions with known masks into the lungs of CTs, as a data set to train on.

    STUDY is a CT without lesions of its own, or a folder of such. Where there are some, --parts names what is used.
    Prints the path of the data set's list.
    """
    # MONAI takes seconds, which `ctvol paint --help` must not spend.
    from pipeline.datasets.painted import PaintedSet, write_painted_dataset

    settings = PaintedSet(
        versions=versions,
        validation=validation,
        healthy=healthy,
        seed=seed,
        parts={} if parts is None else _read(parts),
    )
    click.echo(write_painted_dataset(out, studies, settings, add=add))


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise click.UsageError(f"{path} is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise click.UsageError(f"{path} does not name cases: an object of lists of boxes is expected")
    return content
