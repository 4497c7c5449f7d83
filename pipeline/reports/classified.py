"""`report.html` of a classified case: a volume's slices, or a picture of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.export.slices import GRADCAM_FOLDER
from pipeline.reports.axial import encode_axial
from pipeline.reports.case import REPORT_FILE, body_ends
from pipeline.reports.origin import check_of, origin_facts
from pipeline.reports.page import picture_uri, write_page
from pipeline.reports.slice_chart import SliceChart, SliceSeries, slice_chart
from pipeline.reports.viewer import viewer_data
from pipeline.reports.volumes import PictureVolumes
from transforms.hu_windows import HUWindow, WindowForm
from transforms.slices import SliceStack

_COLOUR = "#56b4e9"
_SUSPICIOUS = 6
_GRADCAM_SIDE = 448


@dataclass(frozen=True, kw_only=True)
class Classified:
    """What a classifier said of a case.

    Attributes:
        case: Its name.
        stack: Its slices.
        slices: Which of them were classified, as indices along the volume's own axial axis, ascending.
        probabilities: `(N, K)` of these.
        volume: `(K,)` of the case.
        classes: Names, in the order of their values; the first is the one without finding.
        predicted: The class of the case.
    """

    case: str
    stack: SliceStack
    slices: Sequence[int]
    probabilities: NDArray[np.floating]
    volume: NDArray[np.floating]
    classes: Sequence[str]
    predicted: str

    @property
    def finding(self) -> str:
        """What the suspicion is of."""
        return self.classes[1] if len(self.classes) == 2 else f"not {self.classes[0]}"

    @property
    def suspicions(self) -> dict[int, float]:
        """Slice to the probability of all classes but the first, the most suspicious first."""
        values = {index: float(1 - row[0]) for index, row in zip(self.slices, self.probabilities, strict=True)}
        return dict(sorted(values.items(), key=lambda pair: -pair[1]))


def write_classified_report(
    folder: Path, found: Classified, record: Mapping[str, Any], image_window: WindowForm = "lung"
) -> str:
    """Write the report of a classified case: one file that opens offline.

    Args:
        folder: The case's folder; Grad-CAM overlays that lie in it are shown.
        found: What the classifier said.
        record: The case's provenance, as far as it is known.
        image_window: The HU window that pictures are taken to show.

    Returns:
        The file's name.

    Raises:
        OutputError: When it cannot be written.
    """
    volumes = _volumes(found.stack)
    context = _of_picture(found, image_window) if volumes is None else _of_volume(found, volumes)
    write_page(
        folder / REPORT_FILE,
        "classified.html",
        case=found.case,
        predicted=found.predicted,
        figures=[(name, float(value)) for name, value in zip(found.classes, found.volume, strict=True)],
        suspicious=list(found.suspicions.items())[:_SUSPICIOUS],
        finding=found.finding,
        looked_at=_gradcam(folder, found.suspicions),
        check=check_of(record, volumes),
        origin=origin_facts(record),
        **context,
    )
    return REPORT_FILE


def _volumes(stack: SliceStack) -> PictureVolumes | None:
    if stack.volume is None:
        return None
    hu = stack.volume.detach().cpu().numpy()[0]
    return PictureVolumes.of(hu, np.asarray(stack.volume.affine, dtype=np.float64))


def _of_volume(found: Classified, volumes: PictureVolumes) -> dict[str, Any]:
    suspicions = found.suspicions
    shown = list(suspicions)[:_SUSPICIOUS]
    captions = [
        f"{found.finding} {suspicions[index]:.2f}" if index in suspicions else "no lung, not classified"
        for index in range(volumes.slices)
    ]
    viewer = viewer_data(
        volumes,
        encode_axial(volumes),
        {},
        captions,
        start=shown[0],
        shown=sorted(shown),
        place=volumes.place_of_most(),
        hu_window="lung",
    )
    return {"viewer": viewer, "charts": [_chart(found, volumes)], "picture": ""}


def _of_picture(found: Classified, image_window: WindowForm) -> dict[str, Any]:
    window = HUWindow.from_config(image_window)
    hu = np.asarray(found.stack.hu[0], dtype=np.float32)
    gray = np.rint(np.clip((hu - window.low) / (window.high - window.low), 0, 1) * 255).astype(np.uint8)
    picture = Image.fromarray(gray)
    picture.thumbnail((640, 640))
    return {"viewer": None, "charts": [], "picture": picture_uri(picture, "JPEG", quality=85)}


def _chart(found: Classified, volumes: PictureVolumes) -> SliceChart:
    suspicions = found.suspicions
    return slice_chart(
        [SliceSeries(name="slice", values=[suspicions.get(i) for i in range(volumes.slices)], colour=_COLOUR)],
        title=f"Probability of {found.finding} along the body",
        y_name="0 to 1",
        ends=body_ends(volumes),
        highest=1.0,
        level=("the volume", float(1 - found.volume[0])),
    )


def _gradcam(folder: Path, suspicions: Mapping[int, float]) -> list[dict[str, Any]]:
    """The overlays of this case, the most suspicious slice first."""
    found = []
    for index, value in suspicions.items():
        path = folder / GRADCAM_FOLDER / f"slice_{index:04d}.png"
        if not path.is_file():
            continue
        with Image.open(path) as picture:
            small = picture.convert("RGB")
        small.thumbnail((_GRADCAM_SIDE, _GRADCAM_SIDE))
        found.append({"slice": index, "value": value, "uri": picture_uri(small, "JPEG", quality=80)})
    return found
