"""Pictures of every mode become gray values; those whose grays cannot be told are refused."""

import numpy as np
import pytest
from PIL import Image

from transforms.errors import CTError, IntensityError, NotFoundError, UnreadableError
from transforms.slices import read_image


def saved(folder, gray, mode, name="a.png"):
    path = folder / name
    Image.fromarray(gray).convert(mode).save(path)
    return path


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P"])
def test_png_of_every_mode_gives_the_same_grays(tmp_path, chest, mode):
    gray, findings = read_image(saved(tmp_path, chest, mode))
    assert gray.dtype == np.uint8
    np.testing.assert_array_equal(gray, chest)
    assert findings == []


def test_one_bit_becomes_black_and_white(tmp_path, chest):
    gray, _ = read_image(saved(tmp_path, chest, "1"))
    assert set(np.unique(gray)) == {0, 255}


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg_is_close(tmp_path, chest, mode):
    gray, _ = read_image(saved(tmp_path, chest, mode, "a.JPG"))
    assert np.abs(gray.astype(int) - chest).mean() < 4


def test_transparent_parts_are_black(tmp_path, chest):
    rgba = np.dstack([chest] * 3 + [np.where(np.arange(160) < 80, 255, 0).astype(np.uint8)[None].repeat(120, 0)])
    Image.fromarray(rgba).save(tmp_path / "a.png")
    gray, _ = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(gray[:, :80], chest[:, :80])
    assert not gray[:, 80:].any()


def test_an_orientation_in_the_header_is_applied(tmp_path, chest):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees clockwise
    Image.fromarray(chest).save(tmp_path / "a.jpg", exif=exif, quality=95)
    gray, _ = read_image(tmp_path / "a.jpg")
    assert gray.shape == chest.shape[::-1]
    assert np.abs(gray.astype(int) - np.rot90(chest, -1)).mean() < 4


def test_colour_is_found(tmp_path, chest):
    rgb = np.dstack([chest] * 3)
    rgb[:40] = (255, 0, 0)
    Image.fromarray(rgb).save(tmp_path / "a.png")
    _, (finding,) = read_image(tmp_path / "a.png")
    assert "33 % of the pixels are coloured" in finding


def test_16_bits_and_print_colours_are_refused(tmp_path, chest):
    Image.fromarray(chest.astype(np.uint16) * 16).save(tmp_path / "deep.png")
    with pytest.raises(IntensityError, match="more than 8 bits"):
        read_image(tmp_path / "deep.png")
    Image.fromarray(chest).convert("CMYK").save(tmp_path / "print.jpg")
    with pytest.raises(IntensityError, match="CMYK"):
        read_image(tmp_path / "print.jpg")


def test_damaged_files_are_refused(tmp_path, chest):
    with pytest.raises(NotFoundError):
        read_image(tmp_path / "missing.png")
    (tmp_path / "empty.png").touch()
    with pytest.raises(UnreadableError, match="0 bytes"):
        read_image(tmp_path / "empty.png")
    (tmp_path / "text.png").write_text("no picture at all, but some text")
    with pytest.raises(UnreadableError, match="no image"):
        read_image(tmp_path / "text.png")
    Image.fromarray(chest).save(tmp_path / "a.gif")
    with pytest.raises(UnreadableError, match="GIF"):
        read_image(tmp_path / "a.gif")
    Image.fromarray(chest[:8]).save(tmp_path / "small.png")
    with pytest.raises(UnreadableError, match="too small"):
        read_image(tmp_path / "small.png")


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_a_file_cut_anywhere_is_refused_or_whole(tmp_path, chest, name):
    noisy = (chest + np.random.default_rng(0).integers(0, 20, chest.shape)).astype(np.uint8)
    content = saved(tmp_path, noisy, "RGB", name).read_bytes()
    for share in (0.02, 0.2, 0.5, 0.9):
        (tmp_path / name).write_bytes(content[: int(share * len(content))])
        with pytest.raises(CTError):
            read_image(tmp_path / name)


def test_a_picture_that_claims_too_many_pixels_is_refused(tmp_path, chest, monkeypatch):
    path = saved(tmp_path, chest, "L")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(UnreadableError, match="larger than any slice"):
        read_image(path)
