"""`ctvol segment`: lesion masks of whole CTs, by the bundle's inference workflow."""

from __future__ import annotations

from typing import Any

import click

from pipeline.cli.studies import studies_to_results

OVERLAYS = {"3d": [], "2.5d": ["unet_2_5d.yaml"]}


@click.command()
@studies_to_results("ct_lesion_segmentation", studies="STUDY", pattern="STS_*/CT_image.nii.gz")
@click.option("--variant", type=click.Choice(list(OVERLAYS)), default="3d", show_default=True, help="The network.")
@click.option("--binary", is_flag=True, help="Lesion or not, all classes together.")
@click.option("--tta", is_flag=True, help="Average over mirrored views: better masks in 8 times the time (2.5D: 4).")
@click.option(
    "--write", multiple=True, metavar="KINDS",
    help="Files to write: nifti,lungs,measurements,seg,sr,report,probabilities; give it again for more.",
)  # fmt: skip
@click.option("--send", metavar="URL", help="Store SEG and SR in this DICOMweb archive: https://HOST/dicom-web.")
def segment(
    variant: str, binary: bool, tta: bool, write: tuple[str, ...], send: str | None
) -> tuple[list[str], dict[str, Any]]:
    """Segment the lesions of whole CTs.

    STUDY is a file (NIfTI, NRRD, MHA), a DICOM folder or zip, a folder of any of these, a CSV with a `path` column,
    a glob, or an address in a DICOMweb archive (https://HOST/dicom-web/studies/UID[/series/UID]). Results go to
    OUTPUT/<case>/, a row a case to OUTPUT/cases.csv. The same command again does what is not done yet.
    """
    keys: dict[str, Any] = {"write": ",".join(write).split(",") if write else None, "tta": tta}
    if send is not None:
        keys["send"] = send
    return [*OVERLAYS[variant], *(["binary.yaml"] if binary else [])], keys
