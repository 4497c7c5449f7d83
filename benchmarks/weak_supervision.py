"""How well masks made of a slice classifier's attention match the truth, on phantoms.

Makes phantoms, half of them without lesions; trains a classifier on nothing but which slices show some (or, with
`--labels volumes`, which volumes do), by the bundle's own command; makes masks by its overlay `pseudo_masks.yaml`; and
prints one JSON object a line: the Dice of each ill volume's mask to the truth, and the means, of the pseudo-masks, of
the regions alone (in the lungs, whatever their density) and of density alone (in the lungs, without a classifier). The
volumes of the split `test` were not trained on.

    python benchmarks/weak_supervision.py --out OUT
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np

from pipeline.phantom import LesionName, PhantomSpec, make_phantom
from pipeline.phantom.writing import save_nifti
from pipeline.weak_supervision import LesionRefinement
from transforms.anatomy import native_lungs

BUNDLE = Path(__file__).parents[1] / "bundles" / "ct_slice_classification"
LESIONS: tuple[tuple[LesionName, ...], ...] = (("ground_glass", "consolidation"), ("ground_glass",), ("consolidation",))
SEVERITIES = (0.35, 0.6, 0.85)
MIN_LUNG_CM2 = 10.0
MIN_LESION_CM2 = 2.0
TRAINING = {"max_epochs": "8", "region": "lungs", "tones": "shown", "flips": "[[]]"}
NOTHING_REFINED = {"density": [-2000, 4000], "smoothing_mm": 0, "opening_mm": 0, "min_volume_ml": 0}


def main() -> None:
    """Measures one training."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="A folder for all that is made.")
    parser.add_argument("--pairs", type=int, nargs=3, default=[6, 2, 2], help="Pairs (one ill) of each split.")
    parser.add_argument("--labels", choices=["slices", "volumes"], default="slices", help="What is known.")
    parser.add_argument("--spacing-mm", type=float, nargs=3, default=[1.5, 1.5, 4.0])
    parser.add_argument("--architecture", default="scattering")
    parser.add_argument("--keys", nargs="*", default=[], help="Further keys of the training, as KEY=VALUE.")
    settings = parser.parse_args()
    data, run = settings.out / "data", settings.out / "run"
    if not (data / "slices.csv").exists():
        write_volumes(data, settings.pairs, settings.spacing_mm)
    listing = data / f"{settings.labels}.csv"
    keys: dict[str, object] = {"architecture": settings.architecture, "device": "$torch.device('cpu')"}
    keys |= TRAINING | dict(key.split("=", 1) for key in settings.keys)
    begun = time.perf_counter()
    bundle("train", {"dataset_dir": listing, "ckpt_dir": run, **keys})
    print(json.dumps({"what": "training", "seconds": round(time.perf_counter() - begun, 1)}), flush=True)
    for name, more in {"pseudo-masks": {}, "region alone": {"refinement": NOTHING_REFINED}}.items():
        begun = time.perf_counter()
        out = settings.out / name.replace(" ", "_")
        splits = {"splits": "['training','test']"}
        bundle(
            "train pseudo_masks", {"dataset_dir": listing, "ckpt_dir": run, "output_dir": out, **splits, **keys, **more}
        )
        seconds = round(time.perf_counter() - begun, 1)
        report(name, data, {case: read(out / "labels" / f"{case}.nii.gz") for _, case in ill(data)}, seconds)
    report("density alone", data, {case: by_density(data / f"{case}.nii.gz") for _, case in ill(data)})


def write_volumes(data: Path, pairs: list[int], spacing_mm: list[float]) -> None:
    """Writes phantoms, their truth, `volumes.csv` and `slices.csv`."""
    (data / "truth").mkdir(parents=True, exist_ok=True)
    x, y, z = spacing_mm
    volumes, slices, seed = [], [], 7000
    for split, count in zip(("train", "val", "test"), pairs, strict=True):
        for number in range(count):
            for label in ("COVID", "NonCOVID"):
                lesions = LESIONS[number % len(LESIONS)] if label == "COVID" else ()
                severity = SEVERITIES[number % len(SEVERITIES)]
                phantom = make_phantom(PhantomSpec(seed=seed, spacing_mm=(x, y, z), lesions=lesions, severity=severity))
                name = f"{split}_{label}_{number}"
                save_nifti(data / f"{name}.nii.gz", phantom.hu, phantom.affine)
                save_nifti(data / "truth" / f"{name}.nii.gz", phantom.labels, phantom.affine)
                row = {"path": f"{name}.nii.gz", "patient": seed, "split": split}
                volumes.append({**row, "label": label})
                slices += [{**row, **known} for known in of_slices(phantom.hu, phantom.labels, phantom.affine)]
                seed += 1
    write_table(data / "volumes.csv", volumes)
    write_table(data / "slices.csv", slices)


def of_slices(hu: np.ndarray, labels: np.ndarray, affine: np.ndarray) -> Iterator[dict[str, object]]:
    """Index and label of the slices with lung; those with a little lesion only are left out."""
    pixel_cm2 = abs(float(np.linalg.det(affine[:2, :2]))) / 100
    lung, lesion = ((mask > 0).sum(axis=(0, 1)) * pixel_cm2 for mask in (native_lungs(hu, affine), labels))
    for index in np.flatnonzero(lung >= MIN_LUNG_CM2):
        if lesion[index] == 0 or lesion[index] >= MIN_LESION_CM2:
            yield {"slice": int(index), "label": "COVID" if lesion[index] else "NonCOVID"}


def write_table(path: Path, rows: list[dict[str, object]]) -> None:
    """Writes a CSV."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def bundle(configs: str, keys: dict[str, object]) -> None:
    """Runs the bundle's own command."""
    files = [str(BUNDLE / "configs" / f"{name}.yaml") for name in configs.split()]
    command = [sys.executable, "-P", "-m", "monai.bundle", "run", "--config_file", str(files)]
    command += ["--bundle_root", str(BUNDLE)]
    for key, value in keys.items():
        command += [f"--{key}", str(value)]
    subprocess.run(command, check=True, stdout=sys.stderr)


def ill(data: Path) -> Iterator[tuple[str, str]]:
    """Split and name of the volumes with lesions that masks are made of."""
    with (data / "volumes.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["label"] == "COVID" and row["split"] != "val":
                yield row["split"], row["path"].removesuffix(".nii.gz")


def by_density(path: Path) -> np.ndarray:
    """What in the lungs is dense, without a classifier."""
    image = nib.load(path)
    hu = np.asarray(image.dataobj).astype(np.int16)
    lungs = native_lungs(hu, image.affine)
    everywhere = np.ones(hu.shape, dtype=bool)
    return LesionRefinement()(everywhere, hu, lungs, [float(side) for side in image.header.get_zooms()])


def read(path: Path) -> np.ndarray:
    """A label map."""
    return np.asarray(nib.load(path).dataobj)


def report(name: str, data: Path, masks: dict[str, np.ndarray], seconds: float | None = None) -> None:
    """Prints the Dice of each mask, and the mean of each split."""
    found: dict[str, list[float]] = {}
    for split, case in ill(data):
        truth, mask = read(data / "truth" / f"{case}.nii.gz") > 0, masks[case] > 0
        dice = 2 * float((truth & mask).sum()) / float(truth.sum() + mask.sum())
        found.setdefault(split, []).append(dice)
        print(json.dumps({"what": name, "case": case, "dice": round(dice, 3)}), flush=True)
    means = {f"mean_dice_{split}": round(float(np.mean(values)), 3) for split, values in found.items()}
    print(json.dumps({"what": name, **means, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
