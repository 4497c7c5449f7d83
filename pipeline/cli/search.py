"""`ctvol search`: hyper-parameters of a bundle's training."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("bundle")
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(file_okay=False, path_type=Path), help="For results.")
@click.option(
    "--space", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="YAML: `search:` with config keys and their values, `fixed:` with values for all trials.",
)  # fmt: skip
@click.option("--trials", type=click.IntRange(min=1), default=20, show_default=True, help="In all, with earlier ones.")
@click.option(
    "--sampler", type=click.Choice(["random", "grid", "tpe"]), default="random", show_default=True,
    help="How values are chosen; tpe learns from the trials before.",
)  # fmt: skip
@click.option("--prune", is_flag=True, help="Stop trials that are worse than the median at the same epoch.")
@click.option(
    "--overlay", "overlays", multiple=True, type=click.Path(path_type=Path),
    help="A config after train.yaml: a file, or a name of the bundle's, such as unet_2_5d.yaml.",
)  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="Of what is drawn.")
def search(
    bundle: str,
    data: Path,
    output: Path,
    space: Path,
    trials: int,
    sampler: str,
    prune: bool,
    overlays: tuple[Path, ...],
    seed: int,
) -> None:
    """Search hyper-parameters of a bundle's training.

    BUNDLE is a bundle's name or folder, DATA a data set. Each trial is the bundle's own training in a process; its
    best validation counts. The same command again goes on where it was stopped. OUTPUT gets trials.csv, report.html
    and best.yaml, the overlay of the best trial.
    """
    from pipeline.bundle import find_bundle
    from pipeline.cli.logs import log_to_stderr
    from pipeline.cohorts.evaluator import CasesFailedError
    from pipeline.search import SearchSettings, read_space
    from pipeline.search import search as run
    from pipeline.search.training import Training

    log_to_stderr()
    folder = find_bundle(bundle)
    files = [_overlay(folder, overlay) for overlay in overlays]
    training = Training(bundle=folder, data=data, overlays=files, folder=output / "trials")
    settings = SearchSettings(trials=trials, sampler=sampler, prune=prune, seed=seed)  # type: ignore[arg-type]
    study = run(training, read_space(space), output, settings)
    if not any(trial.state.name == "COMPLETE" for trial in study.trials):
        raise CasesFailedError("not one trial was completed", where=output, remedy="See trials.csv for the reasons")
    click.echo(output / "best.yaml")


def _overlay(bundle: Path, overlay: Path) -> Path:
    from transforms.errors import NotFoundError

    for path in (overlay, bundle / "configs" / overlay):
        if path.is_file():
            return path
    raise NotFoundError(
        "there is no such configuration", where=overlay, expected=f"a file, or one of {bundle / 'configs'}"
    )
