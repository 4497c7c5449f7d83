"""What both lungs of a whole chest cost: seconds, and memory above the volume's own. One JSON object a line.

python benchmarks/lungs.py                         # a synthetic chest on 300 slices of 512 x 512
python benchmarks/lungs.py --half-consolidated     # the costlier way: one lung without air in its lower half
python benchmarks/lungs.py --study STUDY           # any CT
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from pipeline.phantom.rendering import make_phantom
from pipeline.phantom.spec import PhantomSpec
from transforms.anatomy import native_lungs
from transforms.reading import read_ct

Volume = tuple[np.ndarray, np.ndarray]


def made_chest(slices: int, size: int, *, half_consolidated: bool) -> Volume:
    """A synthetic chest, made small and repeated to the size asked for: making it large takes minutes."""
    small = make_phantom(PhantomSpec(seed=101, spacing_mm=(2.8, 2.8, 3.2), lesions=()))
    hu = small.hu.astype(np.float32)
    if half_consolidated:
        right = small.lungs == 2
        heights = np.nonzero(right)[2]
        low = right & (np.arange(hu.shape[2]) < np.median(heights))
        hu[low] = 30 + np.random.default_rng(0).normal(0, 20, int(low.sum()))
    wanted = (size, size, slices)
    index = [np.arange(count) * have // count for count, have in zip(wanted, hu.shape, strict=True)]
    large = np.asfortranarray(hu[np.ix_(*index)].astype(np.int16))
    scale = np.diag([*(have / count for count, have in zip(wanted, hu.shape, strict=True)), 1.0])
    return large, small.affine @ scale


def forget_peak() -> None:
    """Lets the kernel count the peak of memory anew."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_mb() -> float:
    """The most memory that the process has held since."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def main() -> None:
    """Finds the lungs a few times and says the median."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", type=Path)
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--half-consolidated", action="store_true")
    given = parser.parse_args()
    if given.study is None:
        hu, affine = made_chest(given.slices, given.size, half_consolidated=given.half_consolidated)
    else:
        volume = read_ct(given.study)
        hu, affine = volume.array, volume.affine
    forget_peak()
    before_mb, seconds = peak_mb(), []
    for _ in range(given.rounds):
        begun = time.perf_counter()
        lungs = native_lungs(hu, affine)
        seconds.append(time.perf_counter() - begun)
    voxel_ml = abs(float(np.linalg.det(affine[:3, :3]))) / 1000
    line = {
        "benchmark": "lungs",
        "shape": list(hu.shape),
        "seconds": round(float(np.median(seconds)), 2),
        "memory_above_mb": round(peak_mb() - before_mb, 1),
        "left_ml": round(float((lungs == 1).sum()) * voxel_ml),
        "right_ml": round(float((lungs == 2).sum()) * voxel_ml),
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
