"""The report of a case in a browser: its viewer does what it says, on every screen and on paper, and asks nothing."""

import numpy as np
import pytest
from skimage.segmentation import find_boundaries

from pipeline.export.drawing import LUNG_OUTLINE, colour_of

pytestmark = pytest.mark.service

SLICE = 13


@pytest.fixture
def content(make_content):
    return make_content()


@pytest.fixture
def page(reader, write_case_page, content):
    """The report, open at slice 13."""
    path = write_case_page(content, repairs=["sorted 3 slices"]).path
    reader.open(path)
    reader.wait("document.getElementById('viewer').dataset.ready")
    show(reader, SLICE)
    yield reader
    assert not reader.complaints()
    assert {address.partition(":")[0] for address in reader.requests()} <= {"file", "data", "blob"}


def show(page, index):
    page.driver.execute_script(
        "const s = document.getElementById('slice'); s.value = arguments[0]; s.dispatchEvent(new Event('input'))", index
    )
    arrived(page, index)


def arrived(page, index):
    page.wait(f"document.getElementById('axial').dataset.slice === '{index}'")


def settle(page):
    """Lets the page draw."""
    page.driver.execute_async_script(
        "const done = arguments[0]; requestAnimationFrame(() => setTimeout(() => requestAnimationFrame(done), 60))"
    )


def test_the_slider_moves_and_the_picture_changes(page):
    before = page.pixels("#axial")
    page.press("#slice", "ARROW_RIGHT")
    arrived(page, SLICE + 1)
    show(page, 4)
    assert (page.pixels("#axial") != before).any()
    assert page.ask("document.getElementById('said').textContent").startswith("Slice 4 of 0 to 23, −280.0 mm: pleural")
    assert "Slice 4" in page.ask("document.getElementById('slice').getAttribute('aria-valuetext')")
    assert "Slice 4" in page.ask("document.getElementById('axial').getAttribute('aria-label')")


@pytest.mark.parametrize("where", ["#axial", "#slice"])
def test_keys_go_through_the_slices(page, where):
    steps = {"ARROW_UP": 14, "ARROW_DOWN": 13, "ARROW_LEFT": 12, "PAGE_DOWN": 2, "PAGE_UP": 12, "HOME": 0, "END": 23}
    for key, slice_shown in steps.items():
        page.press(where, key)
        arrived(page, slice_shown)
    page.press(where, "ARROW_UP")
    assert page.ask("document.getElementById('slice').value") == "23"


def test_a_hu_window_is_what_it_says(page):
    lung, tissue = (12, 28), (14, 20)  # row, column
    assert page.pixels("#axial")[lung] == pytest.approx(255 * (-850 + 1350) / 1500, abs=4)
    assert page.pixels("#axial")[tissue] == pytest.approx(255 * (40 + 1350) / 1500, abs=8)
    page.click("input[value=mediastinal]")
    settle(page)
    assert page.pixels("#axial")[tissue] == pytest.approx(255 * 200 / 400, abs=12)
    page.press("#axial", "w")
    settle(page)
    assert page.pixels("#axial")[tissue] == pytest.approx(236, abs=8)
    assert page.ask("document.querySelector('input[value=lung]').checked")


def test_the_overlay_lies_where_the_label_map_says(page, content):
    labels, lungs = content.label_map[:, :, SLICE].T, content.lungs[:, :, SLICE].T
    page.click("#lungs")
    page.click("input[value=filled]")
    page.driver.execute_script(
        "const o = document.getElementById('opacity'); o.value = 100; o.dispatchEvent(new Event('input'))"
    )
    settle(page)
    shown = page.pixels("#axial")
    for value in (1, 2):
        assert np.array_equal((shown == colour_of(value)).all(axis=-1), labels == value)
    assert (np.ptp(shown[labels == 0], axis=-1) == 0).all(), "the rest is gray"
    page.press("#axial", "c")
    page.click("#lungs")
    page.wait("document.getElementById('opacity').value === '100'")
    settle(page)
    shown = page.pixels("#axial")
    edge = find_boundaries(labels, mode="inner", connectivity=1)
    for value in (1, 2):
        assert np.array_equal((shown == colour_of(value)).all(axis=-1), (labels == value) & edge)
    violet = shown[find_boundaries(lungs, mode="inner", connectivity=1) & ~(edge & (labels > 0))]
    assert (np.abs(violet - np.array(LUNG_OUTLINE)).max(axis=-1) < 60).all()


def test_overlay_opacity_and_classes_change_the_picture(page):
    pictures = [page.pixels("#axial")]
    for action in (
        lambda: page.click("input[value=filled]"),
        lambda: page.driver.execute_script(
            "const o = document.getElementById('opacity'); o.value = 80; o.dispatchEvent(new Event('input'))"
        ),
        lambda: page.click("input[name=class][value='1']"),
        lambda: page.click("#lungs"),
        lambda: page.press("#axial", "o"),
    ):
        action()
        settle(page)
        pictures.append(page.pixels("#axial"))
        assert (pictures[-1] != pictures[-2]).any()
    assert (np.ptp(pictures[-1], axis=-1) == 0).all()
    assert page.ask("document.getElementById('opacity').disabled")


def test_overviews_curve_and_small_pictures_lead_to_their_slice(page):
    page.driver.execute_script(
        "const c = document.getElementById('coronal'), b = c.getBoundingClientRect();"
        "c.dispatchEvent(new MouseEvent('click', {clientX: b.left + b.width / 2, clientY: b.top + 1, bubbles: true}))"
    )
    arrived(page, 23)  # the head is at the upper edge
    page.driver.execute_script(
        "const c = document.querySelector('svg[data-slices]'), b = c.getBoundingClientRect();"
        "const x = b.left + b.width * (44 + 466 * 6 / 23) / 520;"
        "c.dispatchEvent(new MouseEvent('click', {clientX: x, clientY: b.top + b.height / 2, bubbles: true}))"
    )
    arrived(page, 6)
    assert float(page.ask("document.querySelector('.cursor').getAttribute('x1')")) == pytest.approx(44 + 466 * 6 / 23)
    page.click(".strip button:last-child")
    page.wait("document.getElementById('axial').dataset.slice !== '6'")
    assert page.ask("document.querySelectorAll('.strip [aria-current=true]').length") == 1


def test_the_line_in_the_overview_is_at_the_slice(page):
    def line():
        yellow = (np.abs(page.pixels("#coronal") - [240, 228, 66]).max(axis=-1) < 40).sum(axis=1)
        return int(np.argmax(yellow))

    height = len(page.pixels("#coronal"))
    for index in (0, 12, 23):
        show(page, index)
        settle(page)
        assert line() == pytest.approx((23 - index + 0.5) / 24 * height, abs=1)


def test_readable_on_a_phone_and_in_the_dark(reader, write_case_page):
    path = write_case_page().path
    grounds = []
    for dark in (False, True):
        reader.open(path, 360, 740, phone=True, dark=dark)
        reader.wait("document.getElementById('viewer').dataset.ready")
        assert reader.ask("document.documentElement.scrollWidth") <= 360
        assert reader.ask("document.getElementById('axial').clientWidth") > 280
        grounds.append(reader.ask("getComputedStyle(document.body).backgroundColor"))
        assert len(reader.screenshot()) > 5000
    assert grounds[0] != grounds[1]
    assert not reader.complaints()


def test_prints_on_a4_with_numbers_and_slices(reader, write_case_page):
    reader.open(write_case_page().path)
    reader.wait("document.getElementById('viewer').dataset.ready")
    assert 2 <= reader.pdf_pages() <= 4
    reader.say("Emulation.setEmulatedMedia", media="print")
    for selector, shown in {".controls": "none", "#lesions": "table", ".strip canvas": "block"}.items():
        assert reader.ask(f"getComputedStyle(document.querySelector('{selector}')).display") == shown


@pytest.mark.parametrize("case", ["no lesion", "no lungs", "one slice", "thin"])
def test_other_volumes_show_without_a_complaint(reader, write_case_page, make_content, content, case):
    volumes = {
        "no lesion": (content.hu, np.zeros_like(content.label_map), content.lungs),
        "no lungs": (content.hu, content.label_map, None),
        "one slice": tuple(volume[:, :, 5:6] for volume in (content.hu, content.label_map, content.lungs)),
        "thin": (np.zeros((300, 2, 3), np.float32), np.ones((300, 2, 3), np.uint8), None),
    }[case]
    reader.open(write_case_page(make_content(volumes=volumes)).path)
    reader.wait("document.getElementById('viewer').dataset.ready")
    reader.press("#axial", "ARROW_UP", "f", "w")
    settle(reader)
    assert reader.ask("document.getElementById('axial').dataset.slice") is not None
    assert not reader.complaints()


def test_a_page_may_not_ask_for_anything(page):
    """The policy of the page refuses it, were a program of it ever to try."""
    refused = page.driver.execute_async_script(
        "const done = arguments[0]; fetch('http://localhost:9/x').then(() => done(false), () => done(true))"
    )
    assert refused
    assert any("Content Security Policy" in text for text in page.complaints())
