"""One whole CT from file to label map: the usual MONAI chain and ctvol in one run, with the same weights.

    python benchmarks/whole_ct.py STUDY [--rounds 3] [--threads 2] [--device cpu] [--contestants NAME ...]

STUDY is a NIfTI file or a folder with one DICOM series. Each contestant works in a process of its own, which has
segmented a small volume before: imports do not count. Printed are the median seconds of all and of each stage, the peak
of the process's memory, and how far the label map is that of stock MONAI. `whole_process` is the time of the process
with its imports and the small volume.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from contest import machine, say

BUNDLE = Path(__file__).parents[1] / "bundles" / "ct_lesion_segmentation"
STOCK = "stock MONAI"
CLASSES = 4
SPACING_MM = (1.5, 1.5, 1.5)
PATCH = (96, 96, 96)

_Segment = Callable[[Path, Path], dict[str, float]]  # study and output folder to seconds by stage


def stock_monai(device: str) -> _Segment:
    """MONAI's transforms, sliding windows, `Invertd` and `SaveImaged` with the defaults that bundles have."""
    import torch
    from monai import transforms as mt
    from monai.inferers import SlidingWindowInferer
    from monai.networks.nets import UNet

    network = UNet(
        spatial_dims=3, in_channels=1, out_channels=CLASSES, channels=(16, 32, 64, 128, 256), strides=(2,) * 4,
        num_res_units=2, norm="instance",
    )  # fmt: skip
    network.load_state_dict(torch.load(BUNDLE / "models" / "model.pt", weights_only=True))
    network = network.eval().to(device)
    inferer = SlidingWindowInferer(PATCH, sw_batch_size=4, overlap=0.5, mode="gaussian")
    before = mt.Compose(
        [
            mt.LoadImaged("image"),
            mt.EnsureChannelFirstd("image"),
            mt.Orientationd("image", axcodes="RAS", labels=None),
            mt.Spacingd("image", pixdim=SPACING_MM, mode="bilinear"),
            mt.ScaleIntensityRanged("image", -1000, 300, 0, 1, clip=True),
            mt.EnsureTyped("image", device=device),
        ]
    )

    def segment(study: Path, output: Path) -> dict[str, float]:
        save = {"output_dir": output, "output_postfix": "labels", "separate_folder": False, "print_log": False}
        after = mt.Compose(
            [
                mt.Activationsd("pred", softmax=True),
                mt.Invertd("pred", transform=before, orig_keys="image", nearest_interp=False, to_tensor=True),
                mt.AsDiscreted("pred", argmax=True),
                mt.SaveImaged("pred", output_dtype="uint8", **save),
            ]
        )
        marks = [time.perf_counter()]
        data = before({"image": str(study)})
        marks.append(time.perf_counter())
        with torch.no_grad():
            data["pred"] = inferer(data["image"][None], network)[0]
        if device != "cpu":
            torch.cuda.synchronize()
        marks.append(time.perf_counter())
        after(data)
        marks.append(time.perf_counter())
        stages = [end - start for start, end in pairwise(marks)]
        return dict(zip(("read", "network", "restore and write"), stages, strict=True))

    return segment


def ctvol(mode: str, *overlays: str) -> Callable[[str], _Segment]:
    """The bundle, which writes the label map alone."""

    def prepare(device: str) -> _Segment:
        from pipeline.bundle import run_workflow

        def segment(study: Path, output: Path) -> dict[str, float]:
            keys = {"dataset_dir": str(study), "output_dir": str(output), "mode": mode, "write": ["nifti"]}
            begun = time.perf_counter()
            run_workflow(BUNDLE, ["inference.yaml", *overlays], device=device, **keys)
            seconds = time.perf_counter() - begun
            (provenance,) = output.glob("*/provenance.json")
            stages: dict[str, float] = json.loads(provenance.read_text())["seconds"]
            merged = {
                "read": stages["read"],
                "network": stages["network"],
                "restore and write": stages["restore"] + stages["write"],
            }
            return {**merged, "start": seconds - sum(merged.values())}

        return segment

    return prepare


CONTESTANTS: dict[str, Callable[[str], _Segment]] = {
    STOCK: stock_monai,
    "ctvol fast": ctvol("fast"),
    "ctvol exact": ctvol("exact"),
    "ctvol 2.5D": ctvol("fast", "unet_2_5d.yaml"),
}


def main() -> None:
    """Starts the contestants, or is one of them."""
    given = _arguments()
    if given.contestant:
        print(json.dumps(_one(given)))
        return
    say(benchmark="whole_ct", device=given.device, threads=given.threads, **machine("torch", "monai", "numpy"))
    with tempfile.TemporaryDirectory(prefix="ctvol-benchmark-") as folder:
        small = Path(folder) / "small.nii.gz"
        _write_small(small)
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
    parser.add_argument("--contestants", nargs="+", choices=list(CONTESTANTS), default=list(CONTESTANTS))
    for hidden in ("--contestant", "--small", "--output"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    return parser.parse_args()


def _write_small(path: Path) -> None:
    import nibabel as nib

    hu = np.random.default_rng(0).integers(-1000, 300, (64, 64, 64), dtype=np.int16)
    image = nib.Nifti1Image(hu, np.diag([2.0, 2.0, 2.0, 1.0]))
    image.header.set_xyzt_units("mm")
    nib.save(image, path)


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
    stages = segment(Path(given.study), output / "study")
    peak = Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]
    (labels,) = (path for path in (output / "study").rglob("*.nii.gz") if "labels" in path.name)
    return {"stages": stages, "peak_gb": int(peak) * 1024 / 1e9, "labels": str(labels)}


def _report(name: str, runs: dict[str, list[dict[str, Any]]]) -> None:
    own, stock = runs[name], runs.get(STOCK)
    total = _median([sum(run["stages"].values()) for run in own])
    stages = {stage: round(_median([run["stages"][stage] for run in own]), 3) for stage in own[0]["stages"]}
    fields: dict[str, Any] = {
        "contestant": name,
        "seconds": round(total, 2),
        "stages": stages,
        "peak_gb": round(max(run["peak_gb"] for run in own), 2),
        "whole_process": round(_median([run["process"] for run in own]), 2),
    }
    if stock and name != STOCK:
        fields["times_faster"] = round(_median([sum(run["stages"].values()) for run in stock]) / total, 2)
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
