"""Cases with known answers, and their pages."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.export.kinds import CaseContent
from pipeline.export.measurements import measure
from pipeline.export.provenance import BundleIdentity, provenance
from pipeline.reports.case import write_report

CLASSES = {"background": 0, "ground_glass": 1, "consolidation": 2, "pleural_effusion": 3}
BUNDLE = BundleIdentity(name="CT lesion segmentation", version="0.1.0", weights_hash="sha256:ab")
# LPS, as most scanners store: 40 columns to the left, 30 rows to the back, 24 slices towards the head.
SHAPE = (40, 30, 24)
AFFINE = np.array([[-4.0, 0, 0, 80], [0, -4, 0, 60], [0, 0, 5, -300], [0, 0, 0, 1]])


class Page(HTMLParser):
    """The elements of a page; each that is opened must be closed, in order."""

    VOID = frozenset({"meta", "link", "img", "input", "br", "hr"})

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("script", "style"):
            self.texts.append(data)

    @property
    def text(self):
        """What a reader sees, spaces joined."""
        return " ".join(" ".join(self.texts).split())

    def addresses(self):
        """All that could be asked of a network."""
        return [attrs[key] for _, attrs in self.elements for key in ("src", "href", "srcset", "action") if key in attrs]


@pytest.fixture
def read_page():
    """A function that reads a page's elements and texts, and sees that all are closed."""
    return Page


def chest():
    """Two boxes of lung in a box of tissue; ground glass and consolidation in the right one, effusion beside it."""
    hu = np.full(SHAPE, -1000, np.int16)
    hu[3:37, 4:27] = 40
    lungs = np.zeros(SHAPE, np.uint8)
    lungs[6:18, 7:22, 3:21] = 2
    lungs[22:34, 7:22, 3:21] = 1
    hu[lungs > 0] = -850
    labels = np.zeros(SHAPE, np.uint8)
    labels[8:14, 9:15, 12:18] = 1
    labels[14:17, 9:13, 10:14] = 2
    labels[6:18, 22:24, 3:8] = 3
    hu[labels == 1] = -500
    return hu, labels, lungs


@pytest.fixture
def make_content():
    """A function that makes the content of a case; arguments replace its parts."""

    def make(case="case-1", classes=CLASSES, affine=AFFINE, volumes=None):
        hu, labels, lungs = chest() if volumes is None else volumes
        measured = measure(labels, hu, lungs, affine, classes, case=case)
        meta = {"format": "dicom", "series_uid": "1.2.3", "filename_or_obj": "/secret/DOE^JANE"}
        return CaseContent(
            case=case,
            hu=hu,
            label_map=labels,
            lungs=lungs,
            probabilities=None,
            affine=np.asarray(affine, dtype=float),
            classes=classes,
            measurements=measured,
            meta=meta,
            bundle=BUNDLE,
        )

    return make


@pytest.fixture
def write_case_page(tmp_path, make_content):
    """A function that writes a report and reads it again; gives its path, text, elements and the viewer's data."""

    def write(content=None, repairs=(), findings=(), options=None, name="report.html"):
        content = content or make_content()
        content = replace(content, meta={**content.meta, "repairs": list(repairs)})
        record = provenance(
            content.case,
            content.hu,
            content.meta,
            bundle=BUNDLE,
            stages={"read": 1.25},
            findings=findings,
            options=options or {"mode": "fast"},
        )
        path = tmp_path / name
        write_report(path, content, record)
        text = path.read_text(encoding="utf-8")
        (viewer,) = re.findall(r'id="viewer-data">(.*?)</script>', text, flags=re.S)
        return SimpleNamespace(path=path, text=text, page=Page(text), viewer=json.loads(viewer))

    return write
