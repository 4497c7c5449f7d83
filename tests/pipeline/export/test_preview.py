import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from PIL import Image
from skimage.color import rgb2gray

from pipeline.export.drawing import LUNG_OUTLINE, OKABE_ITO, colour_of
from pipeline.export.preview import to_picture_axes, write_preview
from transforms.errors import OutputError

CLASSES = {"background": 0, "ground_glass": 1, "consolidation": 2}
MARGIN, SIDE = 12, 512


def picture(path):
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def panels(pixels, widths=(SIDE, SIDE, SIDE)):
    found, left = [], MARGIN
    for width in widths:
        found.append(pixels[MARGIN : MARGIN + SIDE, left : left + width])
        left += width + MARGIN
    return found


def centre(mask):
    rows, columns = np.nonzero(mask)
    return rows.mean() / mask.shape[0], columns.mean() / mask.shape[1]


def coloured(panel, value):
    return (panel == colour_of(value)).all(axis=-1)


@pytest.fixture
def cube():
    """A cube of 64 mm with a lesion at the patient's right, front and head."""
    label_map = np.zeros((64, 64, 64), np.uint8)
    label_map[44:56, 40:52, 48:60] = 1
    return np.full(label_map.shape, -1000, np.int16), label_map


def test_right_is_left_and_front_and_head_are_up(tmp_path, cube):
    hu, label_map = cube
    write_preview(tmp_path / "p.png", hu, label_map, np.eye(4), CLASSES)
    axial, coronal, sagittal = (centre(coloured(panel, 1)) for panel in panels(picture(tmp_path / "p.png")))
    # Right: 50/64 of x counted from the left; front: 46/64 of y from behind; head: 54/64 of z from below.
    right, front, head = 1 - 50 / 64, 1 - 46 / 64, 1 - 54 / 64
    assert axial == pytest.approx((front, right), abs=0.01)
    assert coronal == pytest.approx((head, right), abs=0.01)
    assert sagittal == pytest.approx((head, front), abs=0.01)


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (1, 0, 2)])
@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, 1, -1), (-1, -1, -1)])
def test_any_axis_order_gives_the_same_picture(tmp_path, cube, axes, flips):
    hu, label_map = cube
    label_map[30:34, 4:8, 4:8] = 2
    affine = np.diag([1.0, 1.25, 1.5, 1.0])
    write_preview(tmp_path / "ras.png", hu, label_map, affine, CLASSES)
    step = tuple(slice(None, None, flip) for flip in flips)
    moved = np.zeros((4, 4))
    moved[3, 3] = 1.0
    for new, old in enumerate(axes):
        moved[old, new] = flips[new]
        moved[old, 3] = 0.0 if flips[new] == 1 else 63.0
    write_preview(
        tmp_path / "moved.png", hu.transpose(axes)[step], label_map.transpose(axes)[step], affine @ moved, CLASSES
    )
    assert np.array_equal(picture(tmp_path / "ras.png"), picture(tmp_path / "moved.png"))


def test_picture_axes_are_a_view_to_the_left_back_and_feet():
    volume = np.arange(24).reshape(2, 3, 4)
    view = to_picture_axes(volume, np.eye(4))
    assert np.array_equal(view, volume[::-1, ::-1, ::-1])
    assert np.shares_memory(view, volume)


def test_millimetres_are_square(tmp_path):
    label_map = np.zeros((64, 64, 16), np.uint8)
    label_map[20:40, 20:40, 5:10] = 1  # 20 x 20 x 20 mm
    write_preview(tmp_path / "p.png", np.zeros_like(label_map, np.int16), label_map, np.diag([1, 1, 4.0, 1]), CLASSES)
    for panel in panels(picture(tmp_path / "p.png")):
        rows, columns = np.nonzero(coloured(panel, 1))
        assert np.ptp(rows) == pytest.approx(160, abs=2)
        assert np.ptp(columns) == pytest.approx(160, abs=2)


def test_a_wide_volume_is_drawn_in_its_shape(tmp_path):
    hu = np.zeros((100, 50, 25), np.int16)
    write_preview(tmp_path / "p.png", hu, hu.astype(np.uint8), np.eye(4), CLASSES)
    width, _ = Image.open(tmp_path / "p.png").size
    assert width == 4 * MARGIN + 3 * SIDE


def test_each_view_shows_the_slice_with_most_lesion(tmp_path):
    label_map = np.zeros((32, 32, 32), np.uint8)
    label_map[2, 2, 2] = 1
    label_map[10:20, 10:20, 20] = 2
    lungs = np.zeros_like(label_map)
    lungs[:, :, 2] = 1
    hu = np.zeros_like(label_map, np.int16)
    write_preview(tmp_path / "p.png", hu, label_map, np.eye(4), CLASSES, lungs=lungs)
    axial, *_ = panels(picture(tmp_path / "p.png"))
    assert coloured(axial, 2).any()
    assert not coloured(axial, 1).any()


def test_without_lesions_the_lungs_are_shown_with_an_outline(tmp_path):
    lungs = np.zeros((32, 32, 32), np.uint8)
    lungs[4:12, 8:24, 3:9] = 2
    hu = np.full(lungs.shape, -1000, np.int16)
    hu[lungs > 0] = -600
    write_preview(tmp_path / "p.png", hu, np.zeros_like(lungs), np.eye(4), CLASSES, lungs=lungs)
    for panel in panels(picture(tmp_path / "p.png")):
        gray = rgb2gray(panel / 255.0)
        assert np.isclose(gray, 0.5, atol=0.01).any(), "-600 HU is the middle of the lung window"
        assert (panel == LUNG_OUTLINE).all(axis=-1).any()


def test_without_lungs_a_soft_tissue_window(tmp_path):
    hu = np.full((16, 16, 16), 40, np.int16)
    write_preview(tmp_path / "p.png", hu, np.zeros(hu.shape, np.uint8), np.eye(4), CLASSES)
    axial, *_ = panels(picture(tmp_path / "p.png"))
    assert abs(axial[100, 100, 0] - 127) <= 1
    write_preview(tmp_path / "p.png", hu, np.zeros(hu.shape, np.uint8), np.eye(4), CLASSES, hu_window=(40, 100))
    axial, *_ = panels(picture(tmp_path / "p.png"))
    assert axial[100, 100, 0] == 0


def test_the_legend_has_every_class_in_its_colour(tmp_path, cube):
    hu, label_map = cube
    classes = {"background": 0, **{f"a class with a rather long name {value}": value for value in range(1, 10)}}
    write_preview(tmp_path / "p.png", hu, np.zeros_like(label_map), np.eye(4), classes)
    legend = picture(tmp_path / "p.png")[MARGIN + SIDE :]
    for colour in OKABE_ITO:
        assert (legend == colour).all(axis=-1).sum() >= 300
    assert colour_of(8) == colour_of(1)


def test_letters_are_drawn_at_the_edges(tmp_path, cube):
    hu, label_map = cube
    write_preview(tmp_path / "p.png", hu, np.zeros_like(label_map), np.eye(4), CLASSES)
    for panel in panels(picture(tmp_path / "p.png")):
        for edge in (panel[240:272, :24], panel[240:272, -24:], panel[:24, 240:272], panel[-24:, 240:272]):
            assert edge.max() > 200


def test_a_single_slice_can_be_drawn(tmp_path):
    hu = np.zeros((16, 16, 1), np.int16)
    write_preview(tmp_path / "p.png", hu, np.ones(hu.shape, np.uint8), np.diag([1, 1, 5.0, 1]), CLASSES)
    assert Image.open(tmp_path / "p.png").mode == "RGB"


def test_no_whole_volume_is_copied(tmp_path):
    hu = np.full((160, 160, 160), -1000, np.int16)
    label_map = np.zeros(hu.shape, np.uint8)
    label_map[80:100, 80:100, 80:100] = 1
    tracemalloc.start()
    write_preview(tmp_path / "p.png", hu, label_map, np.eye(4), CLASSES, lungs=label_map)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16e6, "the canvas and its panels, not the 12 MB of the volumes beside them"


def test_a_missing_folder_is_an_output_error(tmp_path, cube):
    with pytest.raises(OutputError):
        write_preview(tmp_path / "none" / "p.png", *cube, np.eye(4), CLASSES)


@pytest.mark.slow
def test_a_real_chest_has_its_liver_on_the_left_of_the_picture(tmp_path):
    data = Path(os.environ.get("CTVOL_DATA", "/nonexistent")) / "chest-lidc-0314"
    if not data.is_dir():
        pytest.skip("CTVOL_DATA is not set")
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(data)))
    image = reader.Execute()
    affine = np.eye(4)
    affine[:3, :3] = np.diag([-1, -1, 1]) @ np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    hu = SimpleITK.GetArrayViewFromImage(image).transpose(2, 1, 0).astype(np.int16)
    label_map = np.zeros(hu.shape, np.uint8)
    # The lowest slice cuts the liver: soft tissue fills more of the patient's right half.
    label_map[:, :, 0 if affine[2, 2] > 0 else -1] = 1
    write_preview(tmp_path / "p.png", hu, label_map, affine, CLASSES, hu_window=(0, 120))
    axial, *_ = panels(picture(tmp_path / "p.png"))
    brightness = axial[200:320, :, 0]
    assert brightness[:, :256].mean() > 1.2 * brightness[:, 256:].mean()
