"""Stored values of every layout to HU: which bits count, what the rescale is, what is padding."""

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from transforms.errors import IntensityError, UnreadableError
from transforms.reading import read_ct

from .conftest import hounsfield_of

VALUES = np.arange(12).reshape(3, 4) * 300 - 1000


@pytest.fixture
def expect_refusal():
    def check(kind, folder, *parts):
        with pytest.raises(kind) as caught:
            read_ct(folder)
        for part in (*parts, str(folder)):
            assert part in str(caught.value)
        assert caught.value.remedy

    return check


class TestBits:
    @pytest.mark.parametrize("garbage", [0, 0x1000, 0xA000, 0xF000])
    def test_bits_above_the_stored_ones_are_ignored(self, stored_series, garbage):
        series = stored_series([(VALUES + 1024) | garbage] * 2, bits_stored=12)
        np.testing.assert_array_equal(hounsfield_of(series.write())[0], [VALUES] * 2)

    @pytest.mark.parametrize("garbage", [0, 0x5000, 0xF000])
    def test_the_sign_is_extended_from_the_high_bit(self, stored_series, garbage):
        stored = np.array([[-2048, -1], [0, 2047]])
        cells = ((stored & 0xFFF) | garbage).astype(np.uint16).view(np.int16)
        series = stored_series([cells] * 2, bits_stored=12, signed=True, RescaleIntercept=0)
        np.testing.assert_array_equal(hounsfield_of(series.write())[0], [stored] * 2)

    @pytest.mark.parametrize("signed", [False, True])
    def test_values_that_do_not_sit_at_the_bottom_of_their_cells(self, stored_series, signed):
        stored = VALUES if signed else VALUES + 1024
        cells = ((stored & 0xFFF) << 4 | 0xB).astype(np.uint16).view(np.int16 if signed else np.uint16)
        intercept = 0 if signed else -1024
        series = stored_series(
            [np.clip(cells, -32768, 65535)] * 2, bits_stored=12, high_bit=15, signed=signed, RescaleIntercept=intercept
        )
        expected = (VALUES + 2048) % 4096 - 2048 if signed else VALUES
        np.testing.assert_array_equal(hounsfield_of(series.write())[0], [expected] * 2)

    @pytest.mark.parametrize(("bits", "signed"), [(8, False), (8, True), (32, False), (32, True)])
    def test_narrow_and_wide_cells(self, stored_series, bits, signed):
        stored = np.array([[-100, -1], [0, 127]]) if signed else np.array([[0, 1], [127, 200]])
        series = stored_series([stored] * 2, bits_allocated=bits, bits_stored=bits, signed=signed, RescaleSlope=3)
        planes, _ = hounsfield_of(series.write())
        assert planes.dtype == np.int16
        np.testing.assert_array_equal(planes, [stored * 3 - 1024] * 2)

    def test_slices_that_differ_in_their_layout(self, stored_series):
        series, signed = stored_series([VALUES + 1024] * 2), stored_series([VALUES] * 2, signed=True)
        series.slices[1].PixelData, series.slices[1].PixelRepresentation = signed.slices[1].PixelData, 1
        series.slices[1].RescaleIntercept = 0
        np.testing.assert_array_equal(hounsfield_of(series.write())[0], [VALUES] * 2)

    @pytest.mark.parametrize(
        ("changes", "found"),
        [
            ({"BitsAllocated": 12}, "BitsAllocated 12"),
            ({"BitsStored": 17, "HighBit": 16}, "BitsStored 17"),
            ({"BitsStored": 12, "HighBit": 9}, "HighBit 9"),
            ({"BitsStored": 0, "HighBit": 0}, "BitsStored 0"),
        ],
    )
    def test_impossible_layouts(self, stored_series, expect_refusal, changes, found):
        expect_refusal(UnreadableError, stored_series([VALUES + 1024] * 2, **changes).write(), "cannot be", found)

    @pytest.mark.parametrize("keyword", ["BitsAllocated", "BitsStored", "PixelRepresentation"])
    def test_missing_layouts(self, stored_series, expect_refusal, keyword):
        series = stored_series([VALUES + 1024] * 2)
        delattr(series.slices[1], keyword)
        expect_refusal(UnreadableError, series.write(), "does not say how the pixels are stored", keyword, "_001.dcm")


class TestRescale:
    @pytest.mark.parametrize(
        ("slope", "intercept"), [(1, -1024), (1, -1000), (1, 0), (2, -8192), (-1, 500), (0.5, -1024), (1, -1024.5)]
    )
    def test_any_slope_and_intercept(self, stored_series, slope, intercept):
        series = stored_series([VALUES + 1024] * 2, RescaleSlope=slope, RescaleIntercept=intercept)
        planes, _ = hounsfield_of(series.write())
        assert planes.dtype == (np.int16 if float(slope * 2 + intercept).is_integer() and slope != 0.5 else np.float32)
        np.testing.assert_array_equal(planes, [(VALUES + 1024) * slope + intercept] * 2)

    @pytest.mark.parametrize("far", [33792, 65535])
    def test_values_just_beyond_int16_make_the_volume_floating_point(self, stored_series, far):
        planes, _ = hounsfield_of(stored_series([[[33791, 0]], [[far, 0]]]).write())
        assert planes.dtype == np.float32
        np.testing.assert_array_equal(planes, [[[32767, -1024]], [[far - 1024, -1024]]])

    def test_the_last_values_that_fit_int16_stay_in_it(self, stored_series):
        planes, _ = hounsfield_of(stored_series([[[33791, 0]]] * 2).write())
        assert planes.dtype == np.int16
        np.testing.assert_array_equal(planes, [[[32767, -1024]]] * 2)

    @pytest.mark.parametrize(
        ("elements", "found"),
        [
            ({"PhotometricInterpretation": "MONOCHROME1"}, "PhotometricInterpretation MONOCHROME1"),
            ({"PhotometricInterpretation": "PALETTE COLOR"}, "PhotometricInterpretation PALETTE_COLOR"),
            ({"RescaleType": "Z_EFF"}, "RescaleType Z_EFF"),
            ({"ModalityLUTSequence": Sequence([Dataset()])}, "a ModalityLUTSequence"),
        ],
    )
    def test_headers_that_speak_of_no_hounsfield_units(self, stored_series, expect_refusal, elements, found):
        folder = stored_series([VALUES + 1024] * 2, **elements).write()
        expect_refusal(IntensityError, folder, found, "--allow not-hu", "_000.dcm")
        volume = read_ct(folder, allow=["not-hu"])
        np.testing.assert_array_equal(volume.array[..., 0], VALUES.T)
        assert found in volume.repairs[0]

    def test_a_rescale_type_of_hounsfield_units(self, stored_series):
        folder = stored_series([VALUES + 1024] * 2, RescaleType="HU").write()
        assert read_ct(folder).repairs == ()


class TestPadding:
    """PixelPaddingValue: what no tissue can be becomes air and is said; anything else is left."""

    def said(self, count, hu):
        text = f"{count} voxels outside the field of view, marked by PixelPaddingValue ({hu} HU), were set to -1024."
        return (text,)

    @pytest.mark.parametrize("vr", ["SS", "US"])
    def test_padding_of_signed_values_whatever_its_type(self, stored_series, vr):
        series = stored_series([[[-2000, 5]]] * 2, signed=True, RescaleIntercept=0)
        for dataset in series.slices:
            dataset.add_new("PixelPaddingValue", vr, -2000 if vr == "SS" else 0x10000 - 2000)
        planes, said = hounsfield_of(series.write())
        np.testing.assert_array_equal(planes, [[[-1024, 5]]] * 2)
        assert said == self.said(2, -2000)

    @pytest.mark.parametrize("vr", ["SS", "US"])
    def test_padding_of_unsigned_values_does_not_widen_the_volume(self, stored_series, vr):
        series = stored_series([[[63536, 5]]] * 2)
        for dataset in series.slices:
            dataset.add_new("PixelPaddingValue", vr, 63536 if vr == "US" else 63536 - 0x10000)
        planes, said = hounsfield_of(series.write())
        assert planes.dtype == np.int16
        np.testing.assert_array_equal(planes, [[[-1024, -1019]]] * 2)
        assert said == self.said(2, 62512)

    def test_padding_in_an_implicit_file(self, stored_series):
        series = stored_series([[[-2000, 5]]] * 2, signed=True, PixelPaddingValue=-2000)
        for dataset in series.slices:
            dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2"
        planes, said = hounsfield_of(series.write())
        np.testing.assert_array_equal(planes, [[[-1024, -1019]]] * 2)
        assert said == self.said(2, -3024)

    def test_a_range_of_padding(self, stored_series):
        stored = [[[-2001, -2000, -1500, -1400, -1399, 0]]] * 2
        elements = {"PixelPaddingValue": -2000, "PixelPaddingRangeLimit": -1400}
        planes, said = hounsfield_of(stored_series(stored, signed=True, RescaleIntercept=0, **elements).write())
        np.testing.assert_array_equal(planes, [[[-2001, -1024, -1024, -1024, -1399, 0]]] * 2)
        assert said == self.said(6, "-2000 to -1400")

    def test_padding_in_bits_that_are_none_of_the_value(self, stored_series):
        tissue_with_its_low_bits = 0xF830 & 0xFFF
        series = stored_series([[[0xF830, tissue_with_its_low_bits]]] * 2, bits_stored=12, PixelPaddingValue=0xF830)
        planes, said = hounsfield_of(series.write())
        np.testing.assert_array_equal(planes, [[[-1024, tissue_with_its_low_bits - 1024]]] * 2)
        assert said == self.said(2, 62512)

    @pytest.mark.parametrize(("value", "intercept"), [(0, 0), (1000, -1024), (0, -1024), (0, -1000), (4095, -1024)])
    def test_a_value_that_tissue_or_air_may_have_is_left(self, stored_series, value, intercept):
        series = stored_series([[[value, 40]]] * 2, PixelPaddingValue=value, RescaleIntercept=intercept)
        planes, said = hounsfield_of(series.write())
        np.testing.assert_array_equal(planes, [[[value + intercept, 40 + intercept]]] * 2)
        assert said == ()

    def test_a_value_that_no_voxel_has_is_not_spoken_of(self, stored_series):
        assert hounsfield_of(stored_series([VALUES] * 2, signed=True, PixelPaddingValue=-3024).write())[1] == ()

    def test_padding_of_a_floating_point_volume(self, stored_series):
        elements = {"PixelPaddingValue": -2000, "RescaleSlope": 0.5}
        planes, _ = hounsfield_of(stored_series([[[-2000, 5]]] * 2, signed=True, **elements).write())
        np.testing.assert_array_equal(planes, [[[-1024, -1021.5]]] * 2)


class TestLength:
    def test_missing_pixels(self, stored_series, expect_refusal):
        series = stored_series([VALUES + 1024] * 2)
        del series.slices[1].PixelData
        expect_refusal(UnreadableError, series.write(), "holds no pixels", "_001.dcm")

    @pytest.mark.parametrize("keyword", ["FloatPixelData", "DoubleFloatPixelData"])
    def test_floating_point_pixels(self, stored_series, expect_refusal, keyword):
        series = stored_series([VALUES + 1024] * 2)
        for dataset in series.slices:
            dataset.BitsAllocated = 32 if keyword == "FloatPixelData" else 64
            del dataset.PixelData
            setattr(dataset, keyword, VALUES.astype("<f4" if keyword == "FloatPixelData" else "<f8").tobytes())
        expect_refusal(UnreadableError, series.write(), "floating-point numbers", keyword)

    @pytest.mark.parametrize("missing", [1, 2, 20])
    def test_a_file_that_ends_too_early(self, stored_series, expect_refusal, missing):
        folder = stored_series([VALUES + 1024] * 2).write()
        file = sorted(folder.iterdir())[1]
        file.write_bytes(file.read_bytes()[:-missing])
        expect_refusal(UnreadableError, folder, "cut short", f"a file of {file.stat().st_size} bytes", "_001.dcm")

    @pytest.mark.parametrize("extra", [1, 4])
    def test_a_few_bytes_too_many_are_padding(self, stored_series, extra):
        series = stored_series([VALUES + 1024] * 2)
        series.slices[0].PixelData += bytes(extra)
        np.testing.assert_array_equal(hounsfield_of(series.write())[0], [VALUES] * 2)

    @pytest.mark.parametrize("extra", [6, 24, 1000])
    def test_a_row_or_more_too_many_is_another_picture(self, stored_series, expect_refusal, extra):
        series = stored_series([VALUES + 1024] * 2)
        series.slices[0].PixelData += bytes(extra)
        expect_refusal(UnreadableError, series.write(), "more pixels than the header describes", f"{24 + extra} bytes")


def test_an_empty_picture(stored_series, expect_refusal):
    series = stored_series([VALUES + 1024] * 2, Rows=0)
    expect_refusal(UnreadableError, series.write(), "picture is empty", "0 x 4")


def test_a_picture_larger_than_memory(stored_series, expect_refusal):
    series = stored_series([VALUES + 1024] * 2, Rows=65535, Columns=65535)
    expect_refusal(UnreadableError, series.write(), "cut short", "24 bytes")
