"""MONAI Label's server between an archive and annotators: a real Orthanc, asked over DICOMweb."""

import json

import nibabel as nib
import numpy as np
import pydicom
import pytest
import torch
from highdicom.seg import Segmentation

from pipeline.label_app import write_label_app

pytestmark = pytest.mark.service

NAMES = ["ground_glass", "consolidation", "pleural_effusion"]
LABEL_INFO = [{"name": name, "description": name.replace("_", " "), "model_name": "ctvol"} for name in NAMES]
FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])


def uid_of(files):
    return pydicom.dcmread(files[0], stop_before_pixels=True).SeriesInstanceUID


@pytest.fixture(scope="module")
def gapped(series_of, tmp_path_factory):
    """The files of a series without one of its middle slices, with a UID of its own."""
    folder, series_uid = tmp_path_factory.mktemp("gapped"), pydicom.uid.generate_uid()
    files = series_of("axial").files
    for path in [*files[:15], *files[16:]]:
        dataset = pydicom.dcmread(path)
        dataset.SeriesInstanceUID = series_uid
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
        dataset.save_as(folder / path.name)
    return sorted(folder.glob("*.dcm"))


@pytest.fixture(scope="module")
def filled(orthanc_url, series_of, gapped):
    """The archive, with the oblique series and the one with a gap."""
    from tests.acceptance.conftest import Archive

    archive = Archive(orthanc_url)
    archive.empty()
    archive.store(series_of("oblique").files)
    archive.store(gapped)
    yield archive
    archive.empty()


@pytest.fixture(scope="module")
def server(serve, filled, small_bundle, tmp_path_factory):
    tmp = tmp_path_factory.mktemp("archive_server")
    with serve(write_label_app(tmp / "app"), f"{filled.url}/dicom-web", tmp, "segmentation", str(small_bundle)) as run:
        yield run


def planes_of(mask, files):
    """The slices of a NIfTI by the instance that lies there."""
    inverse, voxels = np.linalg.inv(FLIP @ mask.affine), np.asanyarray(mask.dataobj)
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in files]
    places = {one.SOPInstanceUID: (inverse @ [*one.ImagePositionPatient, 1])[:3] for one in headers}
    assert all(abs(place[:2]).max() < 1e-2 for place in places.values())
    return {uid: voxels[:, :, round(place[2])].T for uid, place in places.items()}


def planes_in(seg, uids):
    """The slices of a SEG by the instance that they were made of, as highdicom reads them."""
    planes = Segmentation.from_dataset(seg).get_pixels_by_source_instance(
        uids, combine_segments=True, assert_missing_frames_are_empty=True, ignore_spatial_locations=True
    )
    return dict(zip(uids, planes, strict=True))


def stored_segs(archive):
    found = []
    for series in archive.dicomweb.search_for_series(search_filters={"Modality": "SEG"}):
        uids = series["0020000D"]["Value"][0], series["0020000E"]["Value"][0]
        found += archive.dicomweb.retrieve_series(*uids, media_types=(("application/dicom", "*"),))
    return found


def test_a_series_of_the_archive_becomes_a_seg_there_with_the_same_voxels(
    server, filled, series_of, gapped, segmented, tmp_path
):
    files = series_of("oblique").files
    uid = uid_of(files)
    assert server.client.info()["datastore"]["total"] == 2
    assert server.client.next_sample("first", {})["id"] in {uid, uid_of(gapped)}
    file, _ = server.client.infer("segmentation_3d", uid, {"device": "cpu"})
    expected = planes_of(nib.load(file), files)
    assert len(np.unique(list(expected.values()))) == 4

    fields = {"params": json.dumps({"device": "cpu", "label_info": LABEL_INFO})}
    answer = server.ask("POST", f"/infer/segmentation_3d?image={uid}&output=dicom_seg", data=fields)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/dicom"
    (tmp_path / "answer.dcm").write_bytes(answer.content)
    filled.store([tmp_path / "answer.dcm"])
    (seg,) = stored_segs(filled)
    found = planes_in(seg, list(expected))
    for one, plane in expected.items():
        np.testing.assert_array_equal(found[one], plane)

    directly = nib.load(segmented(series_of("oblique").folder))
    other = planes_of(directly, files)  # read by another reader, from DICOM itself: a voxel on the edge may differ
    same = np.mean([(other[one] == plane).mean() for one, plane in expected.items()])
    assert same > 0.995


def test_the_servers_viewer_lists_the_archive(server, filled, series_of):
    page = server.ask("GET", "/ohif/")
    assert page.status_code == 200
    assert "app-config.js" in page.text
    studies = server.ask("GET", "/proxy/dicom/qido/studies").json()  # where app-config.js says that OHIF asks
    study = pydicom.dcmread(series_of("oblique").files[0], stop_before_pixels=True).StudyInstanceUID
    assert study in {one["0020000D"]["Value"][0] for one in studies}


def test_a_corrected_label_is_stored_in_the_archive_with_its_voxels(server, filled, series_of, tmp_path):
    files = series_of("oblique").files
    uid = uid_of(files)
    file, _ = server.client.infer("segmentation_3d", uid, {"device": "cpu"})
    mask = nib.load(file)
    voxels = np.asanyarray(mask.dataobj).copy()
    voxels[:20] = 0
    voxels[25:30, 10:20, 10:20] = 2
    assert len(np.unique(voxels)) == 4
    corrected = nib.Nifti1Image(voxels, mask.affine)
    nib.save(corrected, tmp_path / "corrected.nii.gz")
    before = {seg.SOPInstanceUID for seg in stored_segs(filled)}
    server.client.save_label(uid, str(tmp_path / "corrected.nii.gz"), "final", {"label_info": LABEL_INFO})
    (seg,) = (seg for seg in stored_segs(filled) if seg.SOPInstanceUID not in before)
    expected = planes_of(corrected, files)
    found = planes_in(seg, list(expected))
    for one, plane in expected.items():
        np.testing.assert_array_equal(found[one], plane)
    assert [segment.SegmentLabel for segment in seg.SegmentSequence] == NAMES


def test_what_is_wrong_is_said_and_the_server_lives_on(server, gapped, series_of, small_bundle, tmp_path):
    unknown = server.ask("POST", "/infer/segmentation_3d?image=1.2.3&output=image")
    assert (unknown.status_code, unknown.json()["detail"]) == (404, "there is no image '1.2.3'")
    gap = server.ask("POST", f"/infer/segmentation_3d?image={uid_of(gapped)}&output=image")
    assert gap.status_code == 422
    assert "evenly" in gap.json()["detail"] or "missing" in gap.json()["detail"]

    state = torch.load(small_bundle / "models" / "model_2_5d.pt", weights_only=True)
    state[[name for name in state if name.endswith("bias")][-1]] = torch.tensor([50.0, 0.0, 0.0, 0.0])
    torch.save(state, server.app / "model" / "segmentation_2_5d.pt")
    uid = uid_of(series_of("oblique").files)
    fields = {"params": json.dumps({"device": "cpu", "label_info": LABEL_INFO})}
    empty = server.ask("POST", f"/infer/segmentation_2_5d?image={uid}&output=dicom_seg", data=fields)
    assert empty.status_code == 422
    assert "the mask is empty" in empty.json()["detail"]
    file, said = server.client.infer("segmentation_2_5d", uid, {"device": "cpu"})
    assert said["empty"] is True
    with open(file, "rb") as label:
        kept = server.ask(
            "PUT", f"/datastore/label?image={uid}&tag=final", files={"label": ("empty.nii.gz", label)},
            data={"params": json.dumps({"label_info": LABEL_INFO})},
        )  # fmt: skip
    assert kept.status_code == 422
    assert "the mask is empty" in kept.json()["detail"]
    assert server.lives
