"""The report of a segmented case, without a browser."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from pipeline.reports.axial import encode_axial
from pipeline.reports.involvement import slice_areas, telling_slices
from pipeline.reports.planes import plane_size
from pipeline.reports.shades import KNOTS, to_codes
from pipeline.reports.volumes import PictureVolumes
from pipeline.reports.wording import number


def picture(text):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def test_the_numbers_are_those_of_the_measurements(write_case_page, make_content):
    content = make_content()
    page = write_case_page(content).page
    measured = content.measurements.as_json()
    glass = measured["lesions"]["ground_glass"]
    row = f"ground glass {number(glass['volume_ml'], 1)} {number(glass['percent_of_lung'], 2)}"
    assert row in page.text
    assert f"Severity score {measured['severity']['score']} of 24" in page.text
    zone = measured["zones"]["right"]["middle"]
    assert (
        f"Right middle {number(zone['volume_ml'], 0)} {number(zone['percent_involved'])} % {zone['points']}"
        in page.text
    )
    assert "12 to 17" in page.text
    assert "Not a medical device" in page.text
    assert "Wang et al. 2020" in page.text


def test_the_page_is_whole_and_asks_for_nothing(write_case_page):
    written = write_case_page()
    assert all(address.startswith(("data:", "#")) for address in written.page.addresses())
    assert not re.search(r"url\((?!#)|@import|https?://", written.text)
    names = [attrs["id"] for _, attrs in written.page.elements if "id" in attrs]
    assert len(names) == len(set(names))
    for tag, attrs in written.page.elements:
        for key in ("aria-labelledby", "aria-describedby", "for"):
            assert set(attrs.get(key, "").split()) <= set(names), (tag, attrs)
        if tag == "canvas" and "id" in attrs:
            assert attrs["role"] == "img"
            assert attrs["aria-label"]
        assert tag != "img" or "alt" in attrs


def test_no_name_gets_out_of_its_place_and_no_path_gets_in(write_case_page, make_content):
    hostile = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    content = make_content(case=hostile, classes={"background": 0, hostile: 1})
    written = write_case_page(content, repairs=[hostile], findings=[hostile], options={hostile: hostile})
    assert not [attrs for tag, attrs in written.page.elements if tag == "img" or "onerror" in attrs]
    assert sum(tag == "script" for tag, _ in written.page.elements) == 2
    assert written.page.text.count(hostile.replace("_", " ")) >= 4
    assert written.viewer["classes"][0]["name"] == hostile
    assert "DOE" not in written.text


def test_the_verdict_of_the_input_check_is_said(write_case_page):
    assert "read as it is, nothing to remark" in write_case_page().page.text
    text = write_case_page(repairs=["sorted 3 slices"], findings=["no lungs found"]).page.text
    assert "Input check: read after repairs, with findings." in text
    assert "Repaired: sorted 3 slices" in text
    assert "Finding: no lungs found" in text


def test_every_slice_is_there_with_its_marks_in_their_place(write_case_page, make_content):
    content = make_content()
    viewer = write_case_page(content).viewer
    width, height = viewer["axial"]["size"]
    assert (width, height) == (40, 30)
    assert len(viewer["axial"]["gray"]) == len(viewer["captions"]) == 24
    assert viewer["headwards"] == 1
    assert viewer["heights"][:2] == [-300, -295]
    for index in (0, 5, 13):
        gray = picture(viewer["axial"]["gray"][index])
        assert np.abs(gray.astype(int) - to_codes(content.hu[:, :, index].T)).mean() < 8
        text = viewer["axial"]["marks"][index]
        if index == 0:
            assert text is None
        else:
            marks = picture(text)
            assert np.array_equal(marks[:height], content.label_map[:, :, index].T)
            assert np.array_equal(marks[height:], content.lungs[:, :, index].T)


def test_overviews_have_the_aspect_of_the_body_and_run_from_head_to_feet(write_case_page, make_content):
    content = make_content()
    viewer = write_case_page(content).viewer
    assert viewer["coronal"]["size"] == [40, 30]  # 160 mm by 120 mm
    assert viewer["sagittal"]["size"] == [30, 30]  # 120 mm by 120 mm
    rows = picture(viewer["coronal"]["marks"][0])[:30]
    heights = np.flatnonzero(np.isin(rows, (1, 2, 3)).any(axis=1))
    assert heights[0] == pytest.approx((24 - 8) * 30 / 24)  # of the effusion, where most is


@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, -1, -1), (1, -1, -1), (-1, 1, -1)])
def test_however_a_volume_is_stored_it_is_shown_the_same_way(write_case_page, make_content, flips):
    content = make_content()
    shown = write_case_page(content).viewer
    cut = tuple(slice(None, None, flip) for flip in flips)
    affine = content.affine @ np.diag([*flips, 1])
    affine[:3, 3] = content.affine[:3, 3] + content.affine[:3, :3] @ [
        (length - 1) * (flip == -1) for length, flip in zip(content.hu.shape, flips, strict=True)
    ]
    volumes = tuple(volume[cut] for volume in (content.hu, content.label_map, content.lungs))
    turned = write_case_page(make_content(affine=affine, volumes=volumes)).viewer
    order = slice(None, None, flips[2])
    assert turned["headwards"] == flips[2]
    assert turned["axial"]["marks"][order] == shown["axial"]["marks"]
    assert turned["heights"][order] == shown["heights"]
    assert turned["coronal"]["marks"] == shown["coronal"]["marks"]
    assert turned["sagittal"]["marks"] == shown["sagittal"]["marks"]


def test_slices_stored_along_another_axis(write_case_page, make_content):
    """Sagittal slices: the axial ones are cut across them."""
    content = make_content()
    order = (2, 0, 1)
    volumes = tuple(volume.transpose(order) for volume in (content.hu, content.label_map, content.lungs))
    affine = content.affine[:, [*order, 3]]
    shown, turned = (write_case_page(one).viewer for one in (content, make_content(affine=affine, volumes=volumes)))
    assert turned["axial"]["marks"] == shown["axial"]["marks"]
    assert turned["captions"] == shown["captions"]


def test_an_oblique_volume_says_so(write_case_page, make_content):
    angle = np.radians(20)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    written = write_case_page(make_content(affine=turn @ make_content().affine))
    assert "Oblique by 20.0°" in written.page.text
    assert written.viewer["heights"] is not None
    tilt = np.eye(4)
    tilt[1:3, 1:3] = turn[:2, :2]
    assert write_case_page(make_content(affine=tilt @ make_content().affine)).viewer["heights"] is None


def test_no_lesion(write_case_page, make_content):
    content = make_content()
    empty = (content.hu, np.zeros_like(content.label_map), content.lungs)
    written = write_case_page(make_content(volumes=empty))
    assert "Lung involved 0 %" in written.page.text
    assert set(written.viewer["captions"]) == {"nothing marked"}
    assert len(written.viewer["shown"]) == 6
    assert all(3 <= index < 21 for index in written.viewer["shown"])


def test_no_lungs(write_case_page, make_content):
    hu, labels, _ = make_content().hu, make_content().label_map, None
    written = write_case_page(make_content(volumes=(hu, labels, None)), findings=["no lungs found"])
    assert "No lungs were measured" in written.page.text
    assert "Severity" not in written.page.text
    assert "outline of the lungs" not in written.page.text
    assert written.viewer["window"] == "mediastinal"


def test_one_class_of_another_body_part(write_case_page, make_content):
    hu, labels, _ = make_content().hu, (make_content().label_map > 0).astype(np.uint8), None
    written = write_case_page(make_content(volumes=(hu, labels, None), classes={"background": 0, "tumour": 1}))
    assert "tumour" in written.page.text
    assert [one["name"] for one in written.viewer["classes"]] == ["tumour"]


@pytest.mark.parametrize("shape", [(12, 10, 1), (5, 1, 4), (300, 2, 3)])
def test_odd_shapes(write_case_page, make_content, shape):
    hu = np.zeros(shape, np.float32)
    hu[0, 0, 0] = np.nan
    labels = np.zeros(shape, np.uint8)
    labels[-1, -1, -1] = 3
    written = write_case_page(make_content(volumes=(hu, labels, None), affine=np.diag([1.0, 1, 30, 1])))
    assert len(written.viewer["axial"]["gray"]) == shape[2]
    assert max(*written.viewer["axial"]["size"], *written.viewer["coronal"]["size"]) <= 640


def test_areas_times_distance_are_the_volumes(make_content):
    content = make_content()
    volumes = PictureVolumes.of(content.hu, content.affine, content.label_map, content.lungs)
    areas = slice_areas(encode_axial(volumes), volumes, content.classes)
    for name, lesion in content.measurements.lesions.items():
        assert areas.of_class[name].sum() * 0.5 == pytest.approx(lesion.volume_ml)
    assert areas.lung.sum() * 0.5 == pytest.approx(content.measurements.lung_volume_ml.total)
    shown = telling_slices(areas, 3)
    assert len(shown) == 3
    assert areas.marked[shown].min() > 0


def test_gray_pictures_keep_to_their_budget():
    generator = np.random.default_rng(0)
    hu = generator.integers(-1000, 400, (128, 128, 40)).astype(np.int16)
    volumes = PictureVolumes.of(hu, np.diag([-1.0, -1, 1, 1]), np.ones_like(hu, dtype=np.uint8))
    stack = encode_axial(volumes, gray_bytes=200_000)
    assert sum(map(len, stack.grays)) <= 220_000
    assert stack.size == plane_size((128, 128), (1, 1))
    assert picture(base64.b64encode(stack.marks[0])).shape == (256, 128)


def test_codes_keep_both_windows():
    hu = np.arange(-1050, 241)
    back = np.interp(to_codes(hu), [code for _, code in KNOTS], [value for value, _ in KNOTS])
    assert np.abs(back - hu)[hu >= -160].max() <= 2
    assert np.abs(back - hu).max() <= 5
    assert (np.diff(to_codes(np.arange(-1100, 1600)).astype(int)) >= 0).all()


def test_a_page_stays_small_where_the_label_map_is_noise(monkeypatch):
    """The gray pictures make room."""
    generator = np.random.default_rng(0)
    hu = generator.integers(-1000, 400, (160, 160, 30)).astype(np.int16)
    volumes = PictureVolumes.of(hu, np.diag([-1.0, -1, 1, 1]), generator.integers(0, 4, hu.shape).astype(np.uint8))
    plain = encode_axial(volumes)
    marks = sum(map(len, plain.marks))
    monkeypatch.setattr("pipeline.reports.axial.ALL_BYTES", marks + 150_000)
    monkeypatch.setattr("pipeline.reports.axial._LEAST_GRAY_BYTES", 10_000)
    made = encode_axial(volumes)
    assert sum(map(len, made.grays)) <= 165_000 < sum(map(len, plain.grays))
    assert made.marks == plain.marks
