"""`ctvol phantom`: write a synthetic chest CT with its truth."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click


@click.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--format", "file_format", type=click.Choice(["dicom", "nifti"]), default="dicom", show_default=True)
@click.option("--slices", type=click.IntRange(min=1), help="Slices over the whole chest; 124 if not given.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Chooses the patient.")
@click.option("--size", type=click.IntRange(min=8), default=512, show_default=True, help="Rows and columns of a slice.")
@click.option(
    "--lesion",
    "lesions",
    multiple=True,
    type=click.Choice(["ground_glass", "consolidation", "pleural_effusion"]),
    help="A kind of lesion to show; give it again for more. All of them if not given.",
)
@click.option("--healthy", is_flag=True, help="Show no lesion.")
@click.option("--severity", type=click.FloatRange(0, 1), default=0.5, show_default=True, help="Extent of the lesions.")
@click.option("--noise", type=click.FloatRange(0, 10), default=1.0, show_default=True, help="Factor on the noise.")
@click.option("--oblique", "oblique_degrees", type=float, default=0.0, help="Turn the voxel grid by so many degrees.")
@click.option("--training-set", is_flag=True, help="The training phantoms of the shipped weights instead of one.")
@click.option("--gapped", is_flag=True, help="Leave some slices out of the DICOM series.")
def phantom(
    out: Path,
    file_format: Literal["dicom", "nifti"],
    slices: int | None,
    seed: int,
    size: int,
    lesions: tuple[Literal["ground_glass", "consolidation", "pleural_effusion"], ...],
    healthy: bool,
    severity: float,
    noise: float,
    oblique_degrees: float,
    gapped: bool,
    training_set: bool,
) -> None:
    """Write a synthetic chest CT into OUT, with the truth of its lesions and lungs.

    Prints the paths of the CT, of the lesions' truth and of the lungs' truth.
    """
    # NumPy and SciPy take most of a second, which `ctvol --help` must not spend.
    from pipeline.phantom import LESION_LABELS, PhantomSpec, write_phantom, write_training_set
    from pipeline.phantom.spec import FIELD_OF_VIEW_MM

    if training_set:
        click.echo(write_training_set(out))
        return
    if healthy and lesions:
        raise click.UsageError("--healthy and --lesion exclude each other")
    wide, deep, high = FIELD_OF_VIEW_MM
    count = slices or 124
    spec = PhantomSpec(
        seed=seed,
        shape=(size, size, count),
        spacing_mm=(wide / size, deep / size, high / count),
        lesions=() if healthy else lesions or tuple(LESION_LABELS),
        severity=severity,
        noise=noise,
        oblique_degrees=oblique_degrees,
    )
    files = write_phantom(out, spec, format=file_format, gapped=gapped)
    for path in (files.ct, files.truth, files.lungs_truth):
        click.echo(path)
