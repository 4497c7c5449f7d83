"""`ctvol plan`: looks at a data set and writes the overlay to train on it with."""

from __future__ import annotations

import logging
from pathlib import Path

import click


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The overlay.")
@click.option("--bundle", default="ct_lesion_segmentation", show_default=True, help="Whose network is planned for.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N: whose memory counts.")
@click.option("--margin-mm", type=click.FloatRange(min=0), default=20.0, show_default=True, help="Around the region.")
@click.option("--minutes", type=click.FloatRange(min=1), help="How long training may take; else as long as it needs.")
def plan(data: Path, output: Path, bundle: str, device: str, margin_mm: float, minutes: float | None) -> None:
    """Look at a data set, and write an overlay with spacing, HU windows, patch, batch and region, each with its reason.

    DATA holds dataset.json, or imagesTr and labelsTr. Its training cases are read one after the other; those with
    faults are named and left out. The classes are `labels` of dataset.json, else the values that are there.
    """
    from tqdm import tqdm

    from pipeline.bundle import find_bundle
    from pipeline.cli.logs import log_to_stderr
    from pipeline.cohorts.evaluator import CasesFailedError
    from pipeline.datasets.datalist import load_datalist
    from pipeline.export.files import replacing
    from pipeline.inference import select_device
    from pipeline.planning import CaseFacts, Fault, budget_of, look_at, make_plan, overlay_text
    from pipeline.planning.classes import found_classes, listed_classes
    from pipeline.planning.network import network_of

    log_to_stderr()
    # Whether there are lungs is what is asked here, not news.
    logging.getLogger("transforms.grids.region").setLevel(logging.ERROR)
    items = load_datalist(data, "training", labelled=True)
    classes = listed_classes(data)
    shown = tqdm(items, unit="case", disable=None)
    seen = [look_at(item, classes=classes, margin_mm=margin_mm) for item in shown]
    cases = [one for one in seen if isinstance(one, CaseFacts)]
    faults = [one for one in seen if isinstance(one, Fault)]
    for fault in faults:
        click.echo(f"left out: {fault.case}: {fault.reason}", err=True)
    named = classes or found_classes(cases)
    network = network_of(find_bundle(bundle), len(named))
    made = make_plan(cases, named, budget_of(select_device(device)), network, margin_mm, minutes)
    text = overlay_text(made, cases, faults)
    with replacing(output) as temporary:
        temporary.write_text(text, encoding="utf-8")
    click.echo(output)
    if faults:
        raise CasesFailedError(
            f"{len(faults)} of {len(items)} cases have faults and were left out", where=data,
            remedy="Mend them, or take them from the list; the overlay is written",
        )  # fmt: skip
