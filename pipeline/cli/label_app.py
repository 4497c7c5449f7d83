"""`ctvol label-app`: an app for MONAI Label's server."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("label-app")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def label_app(folder: Path) -> None:
    """Write an app for MONAI Label into DIR: both bundles as models to ask, correct and train further.

    Its server is started, in the environment that DIR/requirements.txt describes, with
    `python -m monailabel.main start_server --app DIR --studies STUDIES`.
    """
    from pipeline.label_app.writing import write_label_app

    click.echo(write_label_app(folder))
