"""What the report of a whole chest costs: seconds, megabytes of the page, memory. One JSON object a line.

python benchmarks/report.py                 # a made volume of 300 slices of 512 x 512
python benchmarks/report.py --study STUDY   # any CT; the back of its lungs counts as lesion
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np

from pipeline.export.kinds import CaseContent
from pipeline.export.measurements import measure
from pipeline.export.provenance import BundleIdentity, provenance
from pipeline.reports.case import write_report
from transforms.anatomy import native_lungs
from transforms.reading import read_ct

sys.path.insert(0, str(Path(__file__).parent))
from made_series import SPACING_MM, texture

CLASSES = {"background": 0, "ground_glass": 1, "consolidation": 2}
BUNDLE = BundleIdentity(name="benchmark", version="0")


def content_of(hu: np.ndarray, affine: np.ndarray) -> CaseContent:
    """A case with its lungs, and lesions in a third of them."""
    lungs = native_lungs(hu, affine)
    labels = np.zeros(hu.shape, np.uint8, order="F")
    back, middle = 3 * hu.shape[1] // 5, hu.shape[0] // 2
    labels[:middle, back:] = lungs[:middle, back:] > 0
    labels[middle:, back:] = 2 * (lungs[middle:, back:] > 0)
    measured = measure(labels, hu, lungs, affine, CLASSES, case="benchmark")
    return CaseContent(
        case="benchmark", hu=hu, label_map=labels, lungs=lungs, probabilities=None, affine=affine, classes=CLASSES,
        measurements=measured, meta={"format": "dicom"}, bundle=BUNDLE,
    )  # fmt: skip


def main() -> None:
    """Writes the report a few times and says the median."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", type=Path)
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    if given.study is None:
        hu, affine = texture(given.slices, given.size), np.diag([-SPACING_MM[0], -SPACING_MM[1], SPACING_MM[2], 1.0])
    else:
        volume = read_ct(given.study)
        hu, affine = volume.array, volume.affine
    content = content_of(hu, affine)
    record = provenance("benchmark", hu, content.meta, bundle=BUNDLE, stages={})
    with tempfile.TemporaryDirectory() as folder:
        path, seconds = Path(folder) / "report.html", []
        for _ in range(given.rounds):
            begun = time.perf_counter()
            write_report(path, content, record)
            seconds.append(time.perf_counter() - begun)
        tracemalloc.start()
        write_report(path, content, record)
        _, peak = tracemalloc.get_traced_memory()
        line = {
            "benchmark": "report",
            "shape": list(hu.shape),
            "seconds": round(float(np.median(seconds)), 2),
            "page_mb": round(path.stat().st_size / 1e6, 2),
            "peak_memory_mb": round(peak / 1e6, 1),
        }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
