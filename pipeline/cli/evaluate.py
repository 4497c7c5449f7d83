"""`ctvol evaluate`: label maps against reference masks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.evaluation import Evaluation, Matching


class _Classes(click.ParamType[dict[str, int]]):
    name = "NAME=VALUE,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, int]:
        if isinstance(value, dict):
            return value
        try:
            return {name.strip(): int(number) for name, number in (part.split("=") for part in value.split(","))}
        except ValueError:
            self.fail(f"{value!r} is not of the form tumour=1,necrosis=2", param, ctx)


@click.command()
@click.argument("predictions", type=click.Path(exists=True, path_type=Path))
@click.argument("references", type=click.Path(exists=True, path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path),
    help="Folder for metrics.csv, metrics.json and report.html.",
)  # fmt: skip
@click.option("--bundle", default="ct_lesion_segmentation", show_default=True, help="Whose classes are compared.")
@click.option("--config", default="inference.yaml", show_default=True, help="Its config that names them: binary.yaml.")
@click.option("--classes", type=_Classes(), help="Classes of your own instead: tumour=1,necrosis=2.")
@click.option("--pattern", help="Picks files of PREDICTIONS, such as '*/labels.nii.gz'.")
@click.option("--reference-pattern", help="Picks files of REFERENCES, such as 'STS_*/CT_mask.nii.gz'.")
@click.option("--split", help="Of REFERENCES where that is a data set: training, validation or test; all by default.")
@click.option("--tolerance-mm", type=click.FloatRange(min=0), default=2.0, show_default=True, help="Of surface Dice.")
@click.option(
    "--lesion-overlap", type=click.FloatRange(0, 1), default=0.0, show_default=True,
    help="Share of a lesion that must be covered to count as found; with 0 one voxel is enough.",
)  # fmt: skip
@click.option("--min-lesion-ml", type=click.FloatRange(min=0), default=0.0, help="Smaller lesions are not counted.")
@click.option(
    "--patients", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV with the columns case and patient: cases of one patient are drawn together for intervals.",
)  # fmt: skip
@click.option("--patient-pattern", metavar="REGEX", help="Finds the patient in a case's name: '^(P[0-9]+)_'.")
@click.option("--bootstrap-samples", type=click.IntRange(min=1), default=1000, show_default=True)
@click.option("--seed", default=0, show_default=True, help="Of the bootstrap.")
def evaluate(
    predictions: Path,
    references: Path,
    output: Path,
    bundle: str,
    config: str,
    classes: dict[str, int] | None,
    pattern: str | None,
    reference_pattern: str | None,
    split: str | None,
    patients: Path | None,
    patient_pattern: str | None,
    bootstrap_samples: int,
    seed: int,
    **settings: Any,
) -> None:
    """Compare label maps with reference masks, by case and class, with 95 % intervals over patients.

    Dice, HD95, normalised surface Dice, lesion-wise sensitivity, precision and F1, volume error, adjusted Rand index,
    and calibration error where probabilities were saved.

    PREDICTIONS and REFERENCES are two files, or two folders whose files are matched by case name: a file's stem, or
    its folder for files named labels, truth or mask. REFERENCES may be a data set with dataset.json.
    """
    from tqdm import tqdm

    from pipeline.cli.imports import imported_for_good

    with imported_for_good():
        from pipeline.bundle import find_bundle
    from pipeline.bundle.classes import bundle_classes
    from pipeline.cli.logs import log_to_stderr
    from pipeline.cohorts.evaluator import CasesFailedError
    from pipeline.evaluation import (
        Bootstrap,
        Evaluation,
        MetricSettings,
        compare_pairs,
        read_patients,
        write_evaluation,
    )  # fmt: skip

    log_to_stderr()
    matching = _matched(predictions, references, pattern, reference_pattern, split)
    compared = compare_pairs(
        tqdm(matching.pairs, unit="case", disable=None),
        classes or bundle_classes(find_bundle(bundle), config),
        MetricSettings(**settings),
        patients=read_patients(patients) if patients else None,
        patient_pattern=patient_pattern,
    )
    evaluation = Evaluation(
        cases=tuple(compared),
        settings=MetricSettings(**settings),
        predictions_alone=matching.predictions_alone,
        references_alone=matching.references_alone,
    )
    summary = write_evaluation(output, evaluation, Bootstrap(samples=bootstrap_samples, seed=seed))
    _print(evaluation, summary)
    if evaluation.failed:
        raise CasesFailedError(
            f"{len(evaluation.failed)} of {len(evaluation.cases)} cases could not be compared",
            where=output,
            remedy="See the messages above and metrics.csv; the other cases are compared",
        )


def _matched(
    predictions: Path, references: Path, pattern: str | None, reference_pattern: str | None, split: str | None
) -> Matching:
    from pipeline.evaluation import Matching, find_label_maps, match
    from pipeline.evaluation.matching import Pair

    ours = find_label_maps(predictions, pattern=pattern)
    theirs = find_label_maps(references, pattern=reference_pattern, split=split)
    if predictions.is_file() and references.is_file():
        (one,), (other,) = ours.values(), theirs.values()
        return Matching(pairs=(Pair(case=one.case, prediction=one, reference=other),))
    matching = match(ours, theirs)
    for title, paths in (
        ("prediction without a reference", matching.predictions_alone),
        ("reference without a prediction", matching.references_alone),
    ):
        for path in paths:
            click.echo(f"{title}: {path}", err=True)
    return matching


def _print(evaluation: Evaluation, summary: Mapping[str, Any]) -> None:
    if not evaluation.scored:
        return
    click.echo(f"{'case':<24} {'class':<18} {'Dice':>6} {'HD95 mm':>8} {'NSD':>6} {'lesion F1':>9} {'error ml':>9}")
    for case in evaluation.scored:
        for name, one in case.metrics.items():
            click.echo(
                f"{case.case:<24} {name:<18} {one.dice:6.3f} {one.hd95_mm:8.2f} {one.nsd:6.3f} "
                f"{one.lesions.f1:9.3f} {one.volume_error_ml:9.2f}"
            )
    if len(evaluation.scored) > 1:
        for name, of_class in summary["classes"].items():
            dice = of_class["dice"]
            click.echo(f"{'mean':<24} {name:<18} {dice['mean']:6.3f} [{dice['low']:.3f}, {dice['high']:.3f}]")
