"""Many small studies: one process a study, against one process for all, and against the slowest stage alone.

python -P benchmarks/cohort.py [--studies 12] [--jobs 1] [--device cpu] [--threads 1] prints a JSON object a line.

Every study is a small synthetic chest. "One process a study" runs the command once for each, as a shell loop does.
"Stages" reads all, then sends all through the network, then writes all, each alone in a warm process: the slowest of
them is what overlapping cannot beat. "Cohort" is the command, once for all; "rate" leaves out its start, from the first
case that is read to the last that is written.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

BUNDLE = Path(__file__).parents[1] / "bundles" / "ct_lesion_segmentation"
CTVOL = [sys.executable, "-P", "-c", "import sys; sys.argv[0] = 'ctvol'; from pipeline.cli import main; main()"]


def main() -> None:
    """Prints the figures."""
    given = arguments()
    with tempfile.TemporaryDirectory() as folder:
        studies = make_studies(given.data or Path(folder) / "studies", given.studies)
        say(benchmark="cohort", studies=len(studies), device=given.device, jobs=given.jobs, threads=given.threads)
        single = [run(given, [study], Path(folder) / "single") for study in studies]
        cohort = run(given, studies, Path(folder) / "cohort")
        stages = stages_alone(given, studies, Path(folder) / "stages")
        report(len(studies), sum(single), cohort, stages, Path(folder) / "cohort")


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=12)
    parser.add_argument("--data", type=Path, help="where the studies are made, or lie from a run before")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1, help="of torch's operations")
    return parser.parse_args()


def make_studies(folder: Path, count: int) -> list[Path]:
    """Coarse phantoms, each with a name of its own; those that are there are taken."""
    from pipeline.phantom import PhantomSpec, write_phantom

    studies = []
    for seed in range(count):
        study = folder / f"study_{seed:02d}.nii.gz"
        studies.append(study)
        if study.exists():
            continue
        spec = PhantomSpec(seed=seed, shape=(96, 96, 60), spacing_mm=(4.0, 4.0, 5.0))
        written = write_phantom(folder / f"made_{seed}", spec, format="nifti").ct
        written.rename(study)
    return studies


def run(given: argparse.Namespace, studies: Sequence[Path], out: Path) -> float:
    """Seconds of the command over some studies, its start and its end with them."""
    options = ["-o", str(out), "--device", given.device, "--log-json"]
    options += ["--jobs", str(given.jobs)] if len(studies) > 1 else []
    environment = {**os.environ, "OMP_NUM_THREADS": str(given.threads)}
    begun = time.perf_counter()
    done = subprocess.run(
        [*CTVOL, "segment", *map(str, studies), *options], capture_output=True, text=True, env=environment
    )
    seconds = time.perf_counter() - begun
    if done.returncode != 0:
        raise SystemExit(done.stderr[-2000:])
    if len(studies) > 1:
        (out / "log.jsonl").write_text(done.stderr)
    return seconds


def stages_alone(given: argparse.Namespace, studies: Sequence[Path], out: Path) -> dict[str, float]:
    """Seconds of each stage over all studies, nothing else going on; the first study warms up."""
    import torch
    from ignite.engine import Events
    from monai.bundle import ConfigWorkflow

    from pipeline.cli.logs import log_to_stderr

    log_to_stderr()
    torch.set_num_threads(given.threads)
    workflow = ConfigWorkflow(
        config_file=str(BUNDLE / "configs" / "inference.yaml"),
        meta_file=str(BUNDLE / "configs" / "metadata.json"),
        logging_file=False,
        workflow_type="infer",
        bundle_root=str(BUNDLE),
        dataset_dir=[str(study) for study in studies],
        output_dir=str(out),
        device=given.device,
        jobs=1,
    )
    workflow.initialize()
    evaluator = workflow.parser.get_parsed_content("evaluator")
    evaluator.fire_event(Events.STARTED)
    items = list(evaluator.loader.sampler)
    read, seconds = timed(evaluator.loader.dataset.__getitem__, items)
    through, network = timed(evaluator._through_network, read)
    _, write = timed(lambda case: evaluator._iteration(evaluator, case), through)
    return {"read": seconds, "network": network, "restore and write": write}


def timed(stage: Callable[[Any], Any], items: Sequence[Any]) -> tuple[list[Any], float]:
    """What a stage makes of all items, and the seconds that it takes; as if the first took as long as the others."""
    results = [stage(items[0])]
    begun = time.perf_counter()
    results += [stage(item) for item in items[1:]]
    return results, (time.perf_counter() - begun) * len(items) / (len(items) - 1)


def report(count: int, single: float, cohort: float, stages: dict[str, float], out: Path) -> None:
    """Says the figures, and how they compare."""
    slowest = max(stages.values())
    busy = working_seconds(out / "log.jsonl", count)
    with (out / "cases.csv").open(newline="") as file:
        done = sum(row["status"] == "done" for row in csv.DictReader(file))
    say(measured="one process a study", seconds=round(single, 2), a_study=round(single / count, 2))
    say(measured="stages alone", seconds={name: round(value, 2) for name, value in stages.items()})
    say(
        measured="cohort",
        seconds=round(cohort, 2),
        a_study=round(cohort / count, 2),
        done=done,
        times_the_throughput=round(single / cohort, 2),
        working_seconds=round(busy, 2),
        of_the_slowest_stage_s_rate=round(slowest / busy, 3),
        of_all_stages_one_after_the_other=round(sum(stages.values()) / busy, 3),
    )


def working_seconds(log: Path, count: int) -> float:
    """From the first case in the network to the last done, as if the first had been read in that time too."""
    from datetime import datetime

    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    network = [datetime.fromisoformat(line["time"]) for line in lines if line["stage"] == "network"]
    done = [datetime.fromisoformat(line["time"]) for line in lines if line["stage"] == "done"]
    # Between two ends of cases lies what one case takes; the first case's way through all stages is the start.
    return (max(done) - min(done)).total_seconds() * count / (count - 1) if len(network) > 1 else float("nan")


def say(**fields: Any) -> None:
    """A JSON object, a line."""
    print(json.dumps(fields), flush=True)


if __name__ == "__main__":
    main()
