"""`ctvol evaluate`: label maps against reference masks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

OWN_NAMES = frozenset({"labels", "label", "truth", "mask"})
"""Stems that say nothing about the case: its folder's name does."""


@click.command()
@click.argument("predictions", type=click.Path(exists=True, path_type=Path))
@click.argument("references", type=click.Path(exists=True, path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder for metrics.csv and .json."
)
@click.option("--bundle", default="ct_lesion_segmentation", show_default=True, help="Whose classes are compared.")
@click.option("--config", default="inference.yaml", show_default=True, help="Its config that names them: binary.yaml.")
def evaluate(predictions: Path, references: Path, output: Path, bundle: str, config: str) -> None:
    """Compare label maps with reference masks: Dice, HD95 and normalised surface Dice by case and class.

    PREDICTIONS and REFERENCES are two files, or two folders whose files are matched by case name: a file's stem, or
    its folder for files named labels, truth or mask.
    """
    from pipeline.bundle import find_bundle
    from pipeline.bundle.classes import bundle_classes
    from pipeline.cli.logs import log_to_stderr
    from pipeline.evaluation import compare_files, write_metrics

    log_to_stderr()
    pairs, alone = _pairs(predictions, references)
    for path in alone:
        click.echo(f"without a partner: {path}", err=True)
    classes = bundle_classes(find_bundle(bundle), config)
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


def _label_maps(place: Path) -> dict[str, Path]:
    from transforms.errors import DataListError
    from transforms.file_kinds import is_hidden, stem, volume_format

    files: Iterable[Path] = [place] if place.is_file() else sorted(place.rglob("*"))
    named: dict[str, Path] = {}
    for path in files:
        if volume_format(path) is None or is_hidden(path) or stem(path) in ("lungs", "lungs_truth", "probabilities"):
            continue
        if (name := _name(path)) in named:
            raise DataListError(
                "two label maps have the same case name",
                where=place,
                found=f"{named[name]} and {path}",
                remedy="Name each after its case, or put it into the case's folder as labels.nii.gz",
            )
        named[name] = path
    return named


def _name(path: Path) -> str:
    from transforms.file_kinds import stem

    return path.absolute().parent.name if stem(path) in OWN_NAMES else stem(path)
