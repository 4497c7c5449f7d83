"""`ctvol segment`: lesion masks of whole CTs, by the bundle's inference workflow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

OVERLAYS = {"3d": [], "2.5d": ["unet_2_5d.yaml"]}


@click.command()
@click.argument("studies", metavar="STUDY...", nargs=-1, required=True)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder for the results.")
@click.option("--bundle", default="ct_lesion_segmentation", show_default=True, help="A bundle's name or folder.")
@click.option("--variant", type=click.Choice(list(OVERLAYS)), default="3d", show_default=True, help="The network.")
@click.option("--binary", is_flag=True, help="Lesion or not, all classes together.")
@click.option("--weights", type=click.Path(path_type=Path), help="Weights of your own in place of the bundle's.")
@click.option(
    "--mode",
    type=click.Choice(["fast", "exact"]),
    default="fast",
    show_default=True,
    help="fast: region of interest, reduced precision; exact: whole volume, float32.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option("--series-uid", help="The DICOM series to read where a study holds several.")
@click.option("--pattern", help="Picks files of a folder, such as 'STS_*/CT_image.nii.gz'.")
@click.option("--allow", multiple=True, metavar="KIND", help="What the reader would otherwise refuse.")
@click.option("--write", metavar="KINDS", help="Files to write: nifti,lungs,measurements,seg,sr,report.")
@click.option("--send", metavar="URL", help="Store SEG and SR in this DICOMweb archive: https://HOST/dicom-web.")
def segment(
    studies: tuple[str, ...],
    output: Path,
    bundle: str,
    variant: str,
    binary: bool,
    weights: Path | None,
    mode: str,
    device: str,
    series_uid: str | None,
    pattern: str | None,
    allow: tuple[str, ...],
    write: str | None,
    send: str | None,
) -> None:
    """Segment the lesions of whole CTs.

    STUDY is a file (NIfTI, NRRD, MHA), a DICOM folder or zip, a folder of any of these, a CSV with a `path` column,
    a glob, or an address in a DICOMweb archive (https://HOST/dicom-web/studies/UID[/series/UID]). Results go to
    OUTPUT/<case>/, a row a case to OUTPUT/cases.csv.
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
        "write": write.split(",") if write else None,
        "device": device,
    }
    if send is not None:
        overrides["send"] = send
    if weights is not None:
        overrides["weights"] = str(weights)
    configs = ["inference.yaml", *OVERLAYS[variant], *(["binary.yaml"] if binary else [])]
    run_workflow(find_bundle(bundle), configs, **overrides)
    click.echo(output)
