"""`ctvol classify`: COVID-19 or not, of slices and volumes, by the bundle's inference workflow."""

from __future__ import annotations

from typing import Any

import click

from pipeline.cli.studies import studies_to_results


@click.command()
@studies_to_results("ct_slice_classification", studies="STUDY_OR_IMAGE", pattern="*/slice.png")
@click.option("--overlay", "overlays", multiple=True, metavar="NAME", help="A config of the bundle: one_logit.yaml.")
@click.option("--gradcam", type=click.IntRange(min=0), default=0, metavar="N", help="Show where the classifier looked, "
              "for the N most suspicious slices of each case.")  # fmt: skip
@click.option("--tta", is_flag=True, help="Average over the slice and its mirror image.")
def classify(overlays: tuple[str, ...], gradcam: int, tta: bool) -> tuple[list[str], dict[str, Any]]:
    """Classify slices and whole CTs.

    STUDY_OR_IMAGE is a PNG or JPEG of an axial slice, or what `ctvol segment` takes; or a folder of both. A row a
    slice goes to OUTPUT/predictions.csv, a row a case to OUTPUT/cases.csv. The same command again does what is not
    done yet.
    """
    keys: dict[str, Any] = {"gradcam": gradcam}
    if tta:
        keys["flips"] = [[], [-1]]
    return list(overlays), keys
