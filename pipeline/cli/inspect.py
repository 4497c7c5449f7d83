"""`ctvol inspect`: what is in a study, and what would be read of it."""

from __future__ import annotations

import json
import logging
import sys
import warnings

import click


@click.command()
@click.argument("studies", metavar="STUDY...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--values", is_flag=True, help="Read the voxels too, and judge whether they are Hounsfield units.")
@click.option("--series-uid", help="The DICOM series to look at as the one to read.")
@click.option("--pattern", help="Picks files of a folder, such as 'STS_*/CT_image.nii.gz'.")
@click.option("--allow", multiple=True, metavar="KIND", help="What the reader would otherwise refuse.")
def inspect(
    studies: tuple[str, ...],
    as_json: bool,
    values: bool,
    series_uid: str | None,
    pattern: str | None,
    allow: tuple[str, ...],
) -> None:
    """Say what is in a study, and what would be read of it.

    STUDY is what `ctvol segment` takes. Reads headers only, and says nothing of the patient. Exit status: 0 where all
    cases will be read, 2 where none can be, else 1.
    """
    from pipeline.inspection import as_text, inspect_studies

    logging.getLogger("pydicom").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries, which quote what they doubt; what matters is in the verdict
        found = inspect_studies(studies, pattern=pattern, series_uid=series_uid, allow=allow, values=values)
    click.echo(json.dumps(found.as_json(), indent=2) if as_json else as_text(found))
    sys.exit(found.exit_status)
