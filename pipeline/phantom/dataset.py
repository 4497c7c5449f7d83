"""Many phantoms as a data set for training, in the layout of the Medical Segmentation Decathlon."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from pipeline.phantom.rendering import make_phantom
from pipeline.phantom.spec import LESION_LABELS, LesionName, PhantomSpec
from pipeline.phantom.writing import save_nifti
from transforms.errors import OutputError, SettingError

Split = Literal["training", "validation", "test"]
_SPLITS: tuple[Split, ...] = ("training", "validation", "test")
_SEVERITIES = (0.2, 0.45, 0.7, 0.9)
_LESION_SETS: tuple[tuple[LesionName, ...], ...] = (
    ("ground_glass", "consolidation", "pleural_effusion"),
    ("ground_glass", "consolidation"),
    ("ground_glass", "consolidation", "pleural_effusion"),
    ("ground_glass",),
    ("ground_glass", "pleural_effusion"),
    ("consolidation", "pleural_effusion"),
    ("ground_glass", "consolidation", "pleural_effusion"),
    (),
)

_log = logging.getLogger(__name__)


def write_phantom_dataset(
    out: Path,
    *,
    seeds: Mapping[Split, Sequence[int]],
    spacing_mm: tuple[float, float, float] = (1.5, 1.5, 1.5),
    shape: tuple[int, int, int] | None = None,
    vary_lesions: bool = True,
    workers: int = 2,
) -> Path:
    """Write phantoms as NIfTI with their truth, and the `dataset.json` that lists them.

    Args:
        out: Folder; gets `imagesTr/`, `labelsTr/`, `imagesTs/`, `labelsTs/` and `dataset.json`.
        seeds: Seeds of each split, all different.
        spacing_mm: Voxel spacing of every phantom.
        shape: Voxels of every phantom; None covers the whole chest.
        vary_lesions: Let kinds and severity of lesions follow the seed, some chests healthy; else all kinds at 0.5.
        workers: Processes that make phantoms side by side.

    Returns:
        The path of `dataset.json`, which is written last.

    Raises:
        SettingError: a seed twice, or an unknown split.
        OutputError: a file cannot be written.
    """
    _check(seeds)
    jobs = []
    listing: dict[str, object] = {"name": "phantom", "modality": {"0": "CT"}, "labels": _label_names()}
    for split in _SPLITS:
        tail = "Ts" if split == "test" else "Tr"
        entries = []
        for seed in seeds.get(split, ()):
            names = {kind: f"{kind}s{tail}/phantom_{seed:05d}.nii.gz" for kind in ("image", "label")}
            entries.append(names)
            spec = dataset_spec(seed, spacing_mm=spacing_mm, shape=shape, vary_lesions=vary_lesions)
            jobs.append((spec, out / names["image"], out / names["label"]))
        listing[split] = entries
    try:
        _write_cases(jobs, workers)
        _write_listing(out, listing)
    except OSError as error:
        raise OutputError("the data set cannot be written", where=out, found=error.strerror or str(error)) from error
    _log.info("%d phantoms in %s", len(jobs), out)
    return out / "dataset.json"


def dataset_spec(
    seed: int,
    *,
    spacing_mm: tuple[float, float, float],
    shape: tuple[int, int, int] | None = None,
    vary_lesions: bool = True,
) -> PhantomSpec:
    """The phantom of a seed in a data set; its lesions follow the seed when they vary."""
    if not vary_lesions:
        return PhantomSpec(seed=seed, shape=shape, spacing_mm=spacing_mm)
    severity = _SEVERITIES[(seed // len(_LESION_SETS) + seed) % len(_SEVERITIES)]
    lesions = _LESION_SETS[seed % len(_LESION_SETS)]
    return PhantomSpec(seed=seed, shape=shape, spacing_mm=spacing_mm, lesions=lesions, severity=severity)


def _write_cases(jobs: Sequence[tuple[PhantomSpec, Path, Path]], workers: int) -> None:
    for _, image, label in jobs:
        image.parent.mkdir(parents=True, exist_ok=True)
        label.parent.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(max_workers=workers) as pool:
        for _ in tqdm(pool.map(_write_case, jobs), total=len(jobs), desc="phantoms", disable=None):
            pass


def _write_listing(out: Path, listing: Mapping[str, object]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    part = out / ".part-dataset.json"
    part.write_text(json.dumps(listing, indent=1))
    part.replace(out / "dataset.json")


def _write_case(job: tuple[PhantomSpec, Path, Path]) -> None:
    spec, image, label = job
    phantom = make_phantom(spec)
    save_nifti(label, phantom.labels, phantom.affine)
    save_nifti(image, phantom.hu, phantom.affine)


def _label_names() -> dict[str, str]:
    return {"0": "background", **{str(value): name for name, value in LESION_LABELS.items()}}


def _check(seeds: Mapping[Split, Sequence[int]]) -> None:
    if unknown := set(seeds) - set(_SPLITS):
        raise SettingError("a split of the data set is unknown", found=sorted(unknown), expected=", ".join(_SPLITS))
    every = [seed for split in seeds.values() for seed in split]
    twice = sorted({seed for seed in every if every.count(seed) > 1})
    if twice:
        raise SettingError("a seed is in the data set twice", found=twice, expected="different seeds in all splits")
