import hashlib
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from pipeline.export.provenance import (
    BundleIdentity,
    provenance,
    read_provenance,
    voxel_hash,
    write_provenance,
)

BUNDLE = BundleIdentity(name="ct_lesion_segmentation", version="0.1.0", weights_hash="sha256:ab")


def record(**more):
    meta = {
        "filename_or_obj": "in/ct.nii.gz",
        "format": "dicom",
        "series_uid": "1.2.3",
        "study_uid": "1.2",
        "repairs": ["sorted the slices"],
        "region": "lungs",
        "PatientName": "Doe^Jane",
    }
    hu = np.zeros((2, 3, 4), np.int16)
    return provenance("a", hu, meta, bundle=BUNDLE, stages={"load": 1.23456}, **more)


def test_it_says_where_the_result_came_from():
    local = datetime(2024, 5, 1, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    found = record(started=local, device="cpu", options={"overlap": 0.5, "bundle": Path("b")}, findings=["no lungs"])
    assert found["started"] == "2024-05-01T12:00:00+00:00"
    assert found["input"] == {
        "path": "in/ct.nii.gz",
        "format": "dicom",
        "series_uid": "1.2.3",
        "study_uid": "1.2",
        "shape": [2, 3, 4],
        "voxels": {"type": "int16", "hash": voxel_hash(np.zeros((2, 3, 4), np.int16))},
        "repairs": ["sorted the slices"],
    }
    assert found["bundle"] == {"name": "ct_lesion_segmentation", "version": "0.1.0", "weights_hash": "sha256:ab"}
    assert found["seconds"] == {"load": 1.235}
    assert found["options"] == {"overlap": 0.5, "bundle": "b"}
    assert (found["region"], found["findings"], found["device"]) == ("lungs", ["no lungs"], "cpu")
    assert {"python", "ctvol", "torch", "monai", "numpy"} == set(found["versions"])
    assert found["versions"]["numpy"] == np.__version__


def test_nothing_of_the_patient_gets_in():
    assert "Doe" not in json.dumps(record())


def test_the_hash_is_of_the_voxels_alone():
    volume = np.random.default_rng(0).integers(-1000, 1000, (5, 6, 7), dtype=np.int16)
    expected = hashlib.blake2b(volume.tobytes(order="F"), digest_size=16).hexdigest()
    assert voxel_hash(volume) == f"blake2b:{expected}"
    assert voxel_hash(np.asfortranarray(volume)) == voxel_hash(volume)
    other = volume.copy()
    other[4, 5, 6] += 1
    assert voxel_hash(other) != voxel_hash(volume)


def test_it_is_written_and_read(tmp_path):
    assert read_provenance(tmp_path) is None
    path = write_provenance(tmp_path, record())
    assert path == tmp_path / "provenance.json"
    assert read_provenance(tmp_path) == record()


@pytest.mark.parametrize("text", ["", "{", "[]", "\xff"])
def test_what_is_not_whole_is_not_done(tmp_path, text):
    (tmp_path / "provenance.json").write_text(text, encoding="latin-1")
    assert read_provenance(tmp_path) is None
