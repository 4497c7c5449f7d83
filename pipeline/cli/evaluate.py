"""`ctvol evaluate`: label maps against reference masks."""

from __future__ import annotations

from pathlib import Path

import click

SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha", ".mhd")


@click.command()
@click.argument("predictions", type=click.Path(exists=True, path_type=Path))
@click.argument("references", type=click.Path(exists=True, path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder for metrics.csv and .json."
)
@click.option("--bundle", default="ct_lesion_segmentation", show_default=True, help="Whose classes are compared.")
def evaluate(predictions: Path, references: Path, output: Path, bundle: str) -> None:
    """Compare label maps with reference masks: Dice, HD95 and normalised surface Dice by case and class.

    PREDICTIONS and REFERENCES are two files, or two folders whose files are matched by case name: a file's stem, or
    its folder for files named labels.
    """
    from pipeline.bundle import find_bundle
    from pipeline.bundle.classes import bundle_classes
    from pipeline.cli.logs import log_to_stderr
    from pipeline.evaluation import compare_files, write_metrics

    log_to_stderr()
    pairs, alone = _pairs(predictions, references)
    for path in alone:
        click.echo(f"without a partner: {path}", err=True)
    classes = bundle_classes(find_bundle(bundle))
    cases = {name: compare_files(prediction, reference, classes) for name, (prediction, reference) in pairs.items()}
    write_metrics(output, cases)
    click.echo(f"{'case':<24} {'class':<18} {'Dice':>6} {'HD95 mm':>8} {'NSD':>6}")
    for case, metrics in cases.items():
        for name, result in metrics.items():
            click.echo(f"{case:<24} {name:<18} {result.dice:6.3f} {result.hd95_mm:8.2f} {result.nsd:6.3f}")


def _pairs(predictions: Path, references: Path) -> tuple[dict[str, tuple[Path, Path]], list[Path]]:
    from transforms.errors import NotFoundError

    if predictions.is_file() and references.is_file():
        return {_name(predictions): (predictions, references)}, []
    ours, theirs = _label_maps(predictions), _label_maps(references)
    pairs = {name: (path, theirs[name]) for name, path in ours.items() if name in theirs}
    if not pairs:
        raise NotFoundError(
            "no prediction has a reference of its name",
            where=predictions,
            found=", ".join(list(ours)[:5]) or "no label maps",
            expected=", ".join(list(theirs)[:5]) or f"label maps in {references}",
        )
    return pairs, [path for side in (ours, theirs) for name, path in side.items() if name not in pairs]


def _label_maps(folder: Path) -> dict[str, Path]:
    if folder.is_file():
        return {_name(folder): folder}
    return {
        _name(path): path
        for path in sorted(folder.rglob("*"))
        if path.name.endswith(SUFFIXES) and not path.name.startswith(("lungs.", "."))
    }


def _name(path: Path) -> str:
    stem = next((path.name.removesuffix(suffix) for suffix in SUFFIXES if path.name.endswith(suffix)), path.name)
    return path.parent.name if stem in ("labels", "truth", "label", "mask") else stem
