"""`ctvol classify`: COVID-19 or not, of slices and volumes, by the bundle's inference workflow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("studies", metavar="STUDY_OR_IMAGE...", nargs=-1, required=True)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder for the results.")
@click.option("--bundle", default="ct_slice_classification", show_default=True, help="A bundle's name or folder.")
@click.option("--weights", type=click.Path(path_type=Path), help="Weights of your own in place of the bundle's.")
@click.option("--overlay", "overlays", multiple=True, metavar="NAME", help="A config of the bundle: one_logit.yaml.")
@click.option("--gradcam", type=click.IntRange(min=0), default=0, metavar="N", help="Show where the classifier looked, "
              "for the N most suspicious slices of each case.")  # fmt: skip
@click.option("--tta", is_flag=True, help="Average over the slice and its mirror image.")
@click.option(
    "--mode",
    type=click.Choice(["fast", "exact"]),
    default="fast",
    show_default=True,
    help="fast: reduced precision where the device has it; exact: float32.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option("--series-uid", help="The DICOM series to read where a study holds several.")
@click.option("--pattern", help="Picks files of a folder, such as '*/slice.png'.")
@click.option("--allow", multiple=True, metavar="KIND", help="What the reader would otherwise refuse.")
def classify(
    studies: tuple[str, ...],
    output: Path,
    bundle: str,
    weights: Path | None,
    overlays: tuple[str, ...],
    gradcam: int,
    tta: bool,
    mode: str,
    device: str,
    series_uid: str | None,
    pattern: str | None,
    allow: tuple[str, ...],
) -> None:
    """Classify slices and whole CTs.

    STUDY_OR_IMAGE is a PNG or JPEG of an axial slice, or what `ctvol segment` takes; or a folder of both. A row a
    slice goes to OUTPUT/predictions.csv, a row a case to OUTPUT/cases.csv.
    """
    from pipeline.bundle import find_bundle, run_workflow
    from pipeline.cli.logs import log_to_stderr

    log_to_stderr()
    overrides: dict[str, Any] = {
        "dataset_dir": list(studies) if len(studies) > 1 else studies[0],
        "output_dir": str(output),
        "mode": mode,
        "series_uid": series_uid,
        "pattern": pattern,
        "allow": list(allow),
        "gradcam": gradcam,
        "device": device,
    }
    if tta:
        overrides["flips"] = [[], [-1]]
    if weights is not None:
        overrides["weights"] = str(weights)
    run_workflow(find_bundle(bundle), ["inference.yaml", *overlays], **overrides)
    click.echo(output)
