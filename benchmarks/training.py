"""How many samples a second a training takes, and where an iteration goes: stock MONAI loops and ctvol in one run.

    python benchmarks/training.py [--data DATA] [--rounds 2] [--iterations 12] [--device cpu] [--contestants NAME ...]

DATA holds `dataset.json`, or `STS_*/CT_image.nii.gz` with `CT_mask.nii.gz`; without it CTVOL_DATA/sts-ct is taken where
there is one, else phantoms are made. All contestants train the same network (MONAI's U-Net of the bundle, 4.8 million
parameters) on patches of the same size from the same cases at 1.5 mm, with the same shares of deformed, mirrored and
changed patches and as many workers, by MONAI's `SupervisedTrainer`: ctvol as the bundle's `train.yaml` describes it,
the stock loops by `CacheDataset`, `RandCropByPosNegLabeld` and `RandAffined` or `Rand3DElasticd`. Each works in a
process of its own and trains some iterations before the clock starts; reading the cases is not timed.

Printed are samples a second and how many times a stock loop's they are, the seconds of an iteration by stage, and of
one sample in the loader (`loader_seconds_a_sample`, which workers spend beside the iteration). On a GPU also the share
of the time in which it is busy: as nvidia-smi samples it, and as the time of its kernels over the time of an iteration.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from contest import Measurement, answer, machine, rounds_of, say
from training_contestants import CONTESTANTS


def main() -> None:
    """Starts the contestants, or is one of them."""
    given = _arguments()
    if given.contestant:
        from training_measures import trained

        answer(trained(CONTESTANTS[given.contestant], given))
        return
    say(benchmark="training", device=given.device, **machine("torch", "monai", "numpy"))
    with tempfile.TemporaryDirectory(prefix="ctvol-benchmark-") as folder:
        data = _data_set(given.data, Path(folder), given.cases)
        found = rounds_of(given.contestants, _passed_on(given, data), rounds=given.rounds, program=__file__)
    rates = {name: _median(measurements, "samples_a_second") for name, measurements in found.items()}
    for name, measurements in found.items():
        others = {other: round(rates[name] / rate, 2) for other, rate in rates.items() if other != name}
        say(contestant=name, samples_a_second=round(rates[name], 3), times_that_of=others, **_summary(measurements))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="a data set with labels")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--iterations", type=int, default=12, help="that are timed")
    parser.add_argument("--warm-up", type=int, default=3, help="iterations before")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2, help="threads of PyTorch")
    parser.add_argument("--workers", type=int, default=1, help="processes that load samples")
    parser.add_argument("--batch-size", type=int, default=2)
    parser.add_argument("--patch-size", type=int, default=96)
    parser.add_argument("--cases", type=int, default=4, help="of the data set")
    parser.add_argument("--augment-on", default="auto", help="of ctvol: cpu, device or auto")
    parser.add_argument("--channels", type=int, nargs="+", default=[16, 32, 64, 128, 256], help="of the network")
    parser.add_argument("--contestants", nargs="+", choices=list(CONTESTANTS), default=list(CONTESTANTS))
    parser.add_argument("--contestant", help=argparse.SUPPRESS)
    return parser.parse_args()


def _passed_on(given: argparse.Namespace, data: Path) -> list[str]:
    own = {"data", "rounds", "contestants", "contestant"}
    arguments = ["--data", str(data)]
    for name, value in vars(given).items():
        if name not in own:
            values = value if isinstance(value, list) else [value]
            arguments += [f"--{name.replace('_', '-')}", *map(str, values)]
    return arguments


def _data_set(data: str | None, folder: Path, cases: int) -> Path:
    """A folder whose `dataset.json` lists some cases to train on, and one to validate, which nobody reads."""
    if data is None and (Path(os.environ.get("CTVOL_DATA", "missing")) / "sts-ct").is_dir():
        data = os.environ["CTVOL_DATA"] + "/sts-ct"
    if data is None:
        from pipeline.phantom import write_phantom_dataset

        seeds = {"training": range(1, cases + 1), "validation": [cases + 1]}
        workers = len(os.sched_getaffinity(0))
        return write_phantom_dataset(folder, seeds=seeds, vary_lesions=False, workers=workers).parent
    root = Path(data).absolute()
    images = sorted(root.glob("STS_*/CT_image.nii.gz"))
    if images:
        listed = [{"image": str(path), "label": str(path.with_name("CT_mask.nii.gz"))} for path in images]
    else:
        from pipeline.datasets.datalist import load_splits

        listed = [case for split in ("training", "validation") for case in load_splits(root).get(split, [])]
    last = min(cases, len(listed) - 1)
    (folder / "dataset.json").write_text(json.dumps({"training": listed[:last], "validation": [listed[last]]}))
    return folder


def _median(measurements: list[Measurement], name: str) -> float:
    return statistics.median(measurement.result[name] for measurement in measurements)


def _summary(measurements: list[Measurement]) -> dict[str, Any]:
    """What the rounds gave beside samples a second, medians."""
    first = measurements[0].result
    stages = {
        stage: round(statistics.median(each.result["iteration_seconds"][stage] for each in measurements), 4)
        for stage in first["iteration_seconds"]
    }
    found = {"iteration_seconds": stages, "rounds": len(measurements)}
    found["loader_seconds_a_sample"] = round(_median(measurements, "loader_seconds_a_sample"), 4)
    found["peak_gb"] = round(statistics.median(each.peak_bytes for each in measurements) / 1e9, 2)
    for name in ("gpu_busy_nvidia_smi", "gpu_busy_kernels"):
        if first.get(name) is not None:
            found[name] = round(_median(measurements, name), 3)
    return found | {name: first[name] for name in ("device", "cases", "parameters", "loss_falls_from_to")}


if __name__ == "__main__":
    sys.exit(main())
