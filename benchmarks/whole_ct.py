"""One whole CT from file to label map: the usual MONAI chain and ctvol in one run, with the same weights.

    python benchmarks/whole_ct.py STUDY [--rounds 3] [--threads 2] [--device cpu] [--contestants NAME ...]

STUDY is a NIfTI file or a folder with one DICOM series. Each contestant works in a process of its own, which has
segmented a small volume before: imports do not count. Printed are the median seconds of all and of each stage, the
seconds of all processors (on a busy machine the steadier measure), the peak of the process's memory, and how far the
label map is that of stock MONAI. `whole_process` is the time of the process with its imports and the small volume.
`patches` is how many parts went through the network, `network_over_bare` the seconds of that stage over those that the
network alone takes for as many parts in memory, of the GPU where it runs there. `gpu_gb` is the most memory of a GPU
that tensors took up.

With `--slices` the study is first made longer: repeated along its last axis, mirrored every other time, as an
uncompressed file.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from contest import machine, say
from whole_ct_contestants import CLASSES, CONTESTANTS, STOCK, bare_seconds, counted_parts


def main() -> None:
    """Starts the contestants, or is one of them."""
    given = _arguments()
    if given.contestant:
        print(json.dumps(_one(given)))
        return
    where = {"device": _device_name(given.device), "threads": given.threads}
    say(benchmark="whole_ct", **where, **machine("torch", "monai", "numpy"))
    with tempfile.TemporaryDirectory(prefix="ctvol-benchmark-") as folder:
        if given.slices:
            given.study = str(_lengthened(given.study, Path(folder) / "long.nii", given.slices))
        small = Path(folder) / "small.nii.gz"
        _write_small(small, 64 if given.device == "cpu" else 128)
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in given.contestants}
        for number in range(given.rounds):
            for name in given.contestants:
                output = Path(folder) / f"{name} {number}"
                runs[name].append(_started(given, name, small, output))
        for name in given.contestants:
            _report(name, runs)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    usual = [name for name in CONTESTANTS if name != "ctvol openvino"]
    parser.add_argument("--contestants", nargs="+", choices=list(CONTESTANTS), default=usual)
    parser.add_argument("--slices", type=int)
    for hidden in ("--contestant", "--small", "--output"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    return parser.parse_args()


def _device_name(device: str) -> str:
    import torch

    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device


def _write_small(path: Path, size: int) -> None:
    import nibabel as nib

    hu = np.random.default_rng(0).integers(-1000, 300, (size,) * 3, dtype=np.int16)
    image = nib.Nifti1Image(hu, np.diag([2.0, 2.0, 2.0, 1.0]))
    image.header.set_xyzt_units("mm")
    nib.save(image, path)


def _lengthened(study: str, path: Path, slices: int) -> Path:
    """The study as NIfTI with as many slices."""
    import nibabel as nib
    import torch

    from transforms import LoadCTd

    volume = LoadCTd("image", dtype=None)({"image": study})["image"]
    one = volume.as_subclass(torch.Tensor)[0].numpy()
    pieces = [one[:, :, :: (-1) ** number] for number in range(-(-slices // one.shape[2]))]
    image = nib.Nifti1Image(np.concatenate(pieces, axis=2)[:, :, :slices], volume.affine.numpy())
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
    return path


def _started(given: argparse.Namespace, name: str, small: Path, output: Path) -> dict[str, Any]:
    """What a contestant answers from its process."""
    options = ["--threads", str(given.threads), "--device", given.device, "--small", str(small)]
    command = [sys.executable, __file__, given.study, *options, "--output", str(output), "--contestant", name]
    begun = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{name} failed with status {done.returncode}:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**found, "process": time.perf_counter() - begun}


def _one(given: argparse.Namespace) -> dict[str, Any]:
    """Segments the small volume, and then the study that counts."""
    import torch

    warnings.simplefilter("ignore")
    torch.set_num_threads(given.threads)
    output = Path(given.output)
    segment = CONTESTANTS[given.contestant](given.device)
    segment(Path(given.small), output / "small")
    gc.collect()  # what that leaves behind does not belong to the study
    ctypes.CDLL(None).malloc_trim(0)
    counts = counted_parts() if given.contestant == "ctvol fast" else []
    if given.device != "cpu":
        torch.cuda.reset_peak_memory_stats(given.device)
    begun = time.process_time()
    stages = segment(Path(given.study), output / "study")
    processor = time.process_time() - begun
    peak = Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]
    (labels,) = (path for path in (output / "study").rglob("*.nii.gz") if "labels" in path.name)
    found = {"stages": stages, "processor": processor, "peak_gb": int(peak) * 1024 / 1e9, "labels": str(labels)}
    if given.device != "cpu":
        found["gpu_gb"] = torch.cuda.max_memory_allocated(given.device) / 1e9
    if counts:
        found["bare"] = bare_seconds(counts[-1], given.device)
        found["patches"] = counts[-1]
    return found


def _report(name: str, runs: dict[str, list[dict[str, Any]]]) -> None:
    own, stock = runs[name], runs.get(STOCK)
    total = _median([sum(run["stages"].values()) for run in own])
    stages = {stage: round(_median([run["stages"][stage] for run in own]), 3) for stage in own[0]["stages"]}
    fields: dict[str, Any] = {
        "contestant": name,
        "seconds": round(total, 2),
        "stages": stages,
        "processor_seconds": round(_median([run["processor"] for run in own]), 2),
        "peak_gb": round(max(run["peak_gb"] for run in own), 2),
        "whole_process": round(_median([run["process"] for run in own]), 2),
    }
    written = stages.get("restore and write")
    if written is not None:
        fields["restore_and_write_share"] = round(written / total, 3)
    if "gpu_gb" in own[0]:
        fields["gpu_gb"] = round(max(run["gpu_gb"] for run in own), 2)
    if "bare" in own[0]:
        fields["patches"] = own[0]["patches"]
        fields["network_over_bare"] = round(_median([run["stages"]["network"] / run["bare"] for run in own]), 2)
    if stock and name == "SliceInferer":
        pass  # its label map is on the network grid, and its stage alone is timed
    elif stock and name != STOCK:
        process = _median([run["process"] for run in stock]) / fields["whole_process"]
        fields["process_times_faster"] = round(process, 2)
        fields["times_faster"] = round(_median([sum(run["stages"].values()) for run in stock]) / total, 2)
        processor = _median([run["processor"] for run in stock]) / _median([run["processor"] for run in own])
        fields["processor_times_less"] = round(processor, 2)
        fields["memory_share"] = round(fields["peak_gb"] / max(run["peak_gb"] for run in stock), 3)
        fields |= _agreement(Path(own[-1]["labels"]), Path(stock[-1]["labels"]))
    say(**fields)


def _agreement(labels: Path, reference: Path) -> dict[str, Any]:
    """Share of equal voxels, and Dice and millilitres of each class."""
    import nibabel as nib

    images = [nib.load(path) for path in (labels, reference)]
    # Arrays of one order: writers may store the same voxels flipped.
    one, other = (np.asanyarray(nib.as_closest_canonical(image).dataobj).astype(np.uint8) for image in images)
    ml = float(abs(np.linalg.det(images[1].affine[:3, :3]))) / 1000
    classes = {}
    for value in range(1, CLASSES):
        ours, theirs = one == value, other == value
        both, each = int((ours & theirs).sum()), (int(ours.sum()), int(theirs.sum()))
        dice = 2 * both / sum(each) if sum(each) else 1.0
        classes[value] = {"dice": round(dice, 4), "ml": [round(count * ml, 2) for count in each]}
    return {"equal_voxels": round(float((one == other).mean()), 6), "classes": classes}


def _median(values: Sequence[float]) -> float:
    return statistics.median(values)


if __name__ == "__main__":
    main()
