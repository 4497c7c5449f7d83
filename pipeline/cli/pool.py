"""`ctvol pool`: the folds of a cross-validation in one table."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("folds", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder for folds.csv.")
@click.option("--bootstrap-samples", type=click.IntRange(min=1), default=1000, show_default=True)
@click.option("--seed", default=0, show_default=True, help="Of the bootstrap.")
def pool(folds: tuple[Path, ...], output: Path, bootstrap_samples: int, seed: int) -> None:
    """Put the folds of a cross-validation together: scores of each and of all, with 95 % intervals over patients.

    FOLDS are the folders in which the folds were trained and measured (RUN/fold_0 RUN/fold_1 ...), or those of their
    evaluations. No case and no patient may stand in two.
    """
    from pipeline.cli.logs import log_to_stderr
    from pipeline.evaluation.folds import fold_scores, read_folds, write_folds
    from pipeline.evaluation.summary import Bootstrap

    log_to_stderr()
    lines = fold_scores(read_folds(folds), Bootstrap(samples=bootstrap_samples, seed=seed))
    path = write_folds(output, lines)
    click.echo(f"{'fold':<20} {'class':<18} {'cases':>5} {'failed':>6} {'Dice':>6}", err=False)
    for line in lines:
        if line.score == "dice":
            mean = line.mean
            click.echo(
                f"{line.fold:<20} {line.of_class:<18} {line.cases:5d} {line.failed:6d} {mean.value:6.3f} "
                f"[{mean.low:.3f}, {mean.high:.3f}]"
            )
    click.echo(path)
