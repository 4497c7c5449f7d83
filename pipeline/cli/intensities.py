"""`ctvol intensities`: mean and deviation of a training set, as the configuration takes them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pipeline.datasets.intensities import Intensities
    from transforms.hu_windows import HUWindow


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--window", metavar="NAME", help="Clip first: lung, mediastinum, bone, lesion, or LOW,HIGH.")
@click.option("--foreground", is_flag=True, help="Measure only voxels whose label is above 0.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def intensities(data: Path, window: str | None, foreground: bool, as_json: bool) -> None:
    """Measure mean and standard deviation of the HU of a training set.

    DATA holds dataset.json, or imagesTr and labelsTr, or arrays of slices (images_NAME.npy). Its training cases are
    read one after the other. Prints the numbers, and the lines for the configuration.
    """
    # MONAI takes seconds, which `ctvol intensities --help` must not spend.
    from tqdm import tqdm

    from pipeline.datasets.datalist import load_datalist
    from pipeline.datasets.intensities import measure_intensities
    from pipeline.datasets.stacks import load_stack_datalist

    clip = None if window is None else _window(window)
    stacks = any(data.glob("images*.npy"))
    cases = load_stack_datalist(data, "training") if stacks else load_datalist(data, "training")
    shown = tqdm(cases, unit="case", disable=None)
    measured = measure_intensities(shown, window=clip, label_key="label" if foreground else None)
    click.echo(_as_json(measured, clip, foreground) if as_json else _as_text(measured, clip))


def _window(name: str) -> HUWindow:
    from transforms.hu_windows import HUWindow

    low, comma, high = name.partition(",")
    try:
        return HUWindow.from_config({"low": float(low), "high": float(high)}) if comma else HUWindow.from_preset(name)
    except ValueError as error:
        raise click.BadParameter(f"{name!r} is no preset and no LOW,HIGH", param_hint="--window") from error


def _as_json(measured: Intensities, window: HUWindow | None, foreground: bool) -> str:
    numbers = asdict(measured)
    return json.dumps({"window": None if window is None else asdict(window), "foreground": foreground, **numbers})


def _as_text(measured: Intensities, window: HUWindow | None) -> str:
    lines = [
        f"cases      {measured.cases}",
        f"voxels     {measured.voxels}",
        f"mean       {measured.mean:.2f} HU",
        f"std        {measured.std:.2f} HU",
        f"0.5 %      {measured.percentile_00_5} HU",
        f"median     {measured.percentile_50} HU",
        f"99.5 %     {measured.percentile_99_5} HU",
        "",
        "# for the configuration",
    ]
    if window is None:
        lines.append("# measured without a window: `--window` clips as the network's input is clipped")
    else:
        lines.append(f"windows: [{{low: {window.low:g}, high: {window.high:g}}}]")
    lines.append(f"scaling: {{scaling: dataset, mean: {measured.mean:.2f}, std: {measured.std:.2f}}}")
    return "\n".join(lines)
