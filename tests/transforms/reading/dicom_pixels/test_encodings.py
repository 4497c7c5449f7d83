"""Every transfer syntax of CT: exact values with the decoders of `[codecs]`, and their name without."""

import base64
import json
import logging
from pathlib import Path

import numpy as np
import pytest
from pydicom import uid
from pydicom.pixels.decoders.base import Decoder

from transforms.errors import MissingExtraError, UnreadableError
from transforms.reading import read_ct

from .conftest import hounsfield_of
from .make_codestreams import picture, ramp

STREAMS = {
    name: base64.b64decode(text)
    for name, text in json.loads(Path(__file__).with_name("codestreams.json").read_text()).items()
}
SYNTAXES = {
    "jpeg-lossless-57": uid.JPEGLossless,
    "jpeg-lossless-70": uid.JPEGLosslessSV1,
    "jpeg-ls": uid.JPEGLSLossless,
    "jpeg-ls-near": uid.JPEGLSNearLossless,
    "jpeg-2000": uid.JPEG2000Lossless,
    "jpeg-2000-unsigned": uid.JPEG2000Lossless,
    "jpeg-2000-lossy": uid.JPEG2000,
    "htj2k": uid.HTJ2KLossless,
    "htj2k-lossy": uid.HTJ2K,
    "jpeg-extended": uid.JPEGExtended12Bit,
    "jpeg-baseline": uid.JPEGBaseline8Bit,
}
KINDS = {"u12": (12, False), "s12": (12, True), "s16": (16, True), "u16": (16, False)}
LOSSLESS = [name for name in STREAMS if name.split()[1] in KINDS]
LOSSY = [name for name in STREAMS if name.split()[1] == "ramp"]
CORE = {"jpeg-ls", "jpeg-ls-near", "jpeg-2000", "jpeg-2000-unsigned", "jpeg-2000-lossy", "jpeg-baseline"}
"""What packages that ctvol needs anyway can decode."""


@pytest.fixture
def compressed(stored_series, encapsulated):
    """A function that makes a series of one stream in two slices, slope 1 and intercept 0 but for wide values."""

    def make(name, stream=None):
        coding, kind = name.split()
        bits, signed = KINDS.get(kind, (8 if coding == "jpeg-baseline" else 12, False))
        series = stored_series(
            [np.zeros((12, 16))] * 2,
            bits_allocated=8 if bits == 8 else 16,
            bits_stored=bits,
            signed=signed,
            RescaleIntercept=-1024,
        )
        for dataset in series.slices:
            encapsulated(dataset, [STREAMS[name] if stream is None else stream], SYNTAXES[coding])
        return series

    return make


@pytest.fixture
def without_codecs(monkeypatch):
    """Hides what the extra installs, as if it was not there."""
    seen = Decoder.available_plugins.fget
    hidden = {"gdcm", "pylibjpeg"}
    plugins = property(lambda decoder: tuple(name for name in seen(decoder) if name not in hidden))
    monkeypatch.setattr(Decoder, "available_plugins", plugins)


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_values_are_exact(compressed, name):
    expected = picture(*KINDS[name.split()[1]]) - 1024
    planes, said = hounsfield_of(compressed(name).write())
    np.testing.assert_array_equal(planes, [expected] * 2)
    assert said == ()


@pytest.mark.parametrize(("name", "within"), list(zip(LOSSY, (2, 12, 40, 12, 2), strict=True)))
def test_lossy_values_are_near(compressed, name, within):
    expected = ramp() // (16 if "baseline" in name else 1)
    planes, _ = hounsfield_of(compressed(name).write())
    np.testing.assert_allclose(planes[0] + 1024, expected, rtol=0, atol=within)


@pytest.mark.parametrize("name", list(STREAMS))
def test_without_the_extra_its_name_is_said(compressed, without_codecs, name):
    folder = compressed(name).write()
    if name.split()[0] in CORE:
        hounsfield_of(folder)
        return
    with pytest.raises(MissingExtraError, match=r"pip install ctvol\[codecs\]") as caught:
        read_ct(folder)
    assert SYNTAXES[name.split()[0]].name in str(caught.value)


@pytest.mark.parametrize(
    "syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.DeflatedExplicitVRLittleEndian]
)
@pytest.mark.parametrize(("bits_allocated", "signed"), [(8, False), (16, False), (16, True), (32, True)])
def test_uncompressed_and_deflated_values_are_exact(stored_series, syntax, bits_allocated, signed):
    stored = picture(min(bits_allocated, 13), signed)
    series = stored_series([stored] * 2, bits_allocated=bits_allocated, bits_stored=bits_allocated, signed=signed)
    for dataset in series.slices:
        dataset.file_meta.TransferSyntaxUID = syntax
        if syntax == uid.ExplicitVRBigEndian:
            dataset.PixelData = np.frombuffer(dataset.PixelData, f"<u{bits_allocated // 8}").byteswap().tobytes()
    planes, _ = hounsfield_of(series.write())
    np.testing.assert_array_equal(planes, [stored - 1024] * 2)
    assert planes.dtype == np.int16


@pytest.mark.parametrize("hide", [False, True])
@pytest.mark.parametrize("kind", list(KINDS))
def test_run_lengths_are_exact_with_and_without_the_extra(stored_series, request, kind, hide):
    if hide:
        request.getfixturevalue("without_codecs")
    bits, signed = KINDS[kind]
    series = stored_series([picture(bits, signed)] * 2, bits_stored=bits, signed=signed)
    for dataset in series.slices:
        dataset.compress(uid.RLELossless, generate_instance_uid=False)
    np.testing.assert_array_equal(hounsfield_of(series.write())[0], [picture(bits, signed) - 1024] * 2)


def test_frames_of_a_compressed_enhanced_object(dicom_series, encapsulated, tmp_path):
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    whole = dicom_series(shape=(16, 12, 1)).slices[0]
    whole.SOPClassUID, whole.NumberOfFrames, whole.BitsStored, whole.HighBit = uid.EnhancedCTImageStorage, 2, 12, 11
    encapsulated(whole, [STREAMS["jpeg-lossless-70 u12"], STREAMS["jpeg-lossless-70 u12"]], uid.JPEGLosslessSV1)
    groups = []
    for place in (0, 2):
        group, position = Dataset(), Dataset()
        position.ImagePositionPatient = [0, 0, place]
        group.PlanePositionSequence = Sequence([position])
        for sequence, keywords in (
            ("PlaneOrientationSequence", ["ImageOrientationPatient"]),
            ("PixelMeasuresSequence", ["PixelSpacing", "SliceThickness"]),
            ("PixelValueTransformationSequence", ["RescaleSlope", "RescaleIntercept"]),
        ):
            item = Dataset()
            for keyword in keywords:
                item[keyword] = whole[keyword]
            setattr(group, sequence, Sequence([item]))
        groups.append(group)
    whole.PerFrameFunctionalGroupsSequence = Sequence(groups)
    whole.save_as(tmp_path / "enhanced.dcm", enforce_file_format=True)
    volume = read_ct(tmp_path / "enhanced.dcm")
    np.testing.assert_array_equal(volume.array, np.stack([picture(12, False).T - 1024] * 2, axis=-1))


class TestCorruptStreams:
    @pytest.mark.parametrize("name", list(STREAMS))
    @pytest.mark.parametrize("keep", [4, 0.5, 0.95])
    def test_cut_short(self, compressed, name, keep):
        stream = STREAMS[name][: int(keep * len(STREAMS[name])) if keep < 1 else keep]
        with pytest.raises(UnreadableError, match="cut short or corrupt") as caught:
            read_ct(compressed(name, stream).write())
        assert "_000.dcm" in str(caught.value)

    @pytest.mark.parametrize("name", ["jpeg-ls u12", "htj2k u12"])
    def test_cut_short_and_ended_again(self, compressed, name):
        stream = STREAMS[name][: len(STREAMS[name]) // 2] + b"\xff\xd9"
        with pytest.raises(UnreadableError, match="cannot be decoded"):
            read_ct(compressed(name, stream).write())

    @pytest.mark.parametrize("name", list(STREAMS))
    def test_another_picture_than_the_header_says(self, compressed, name):
        series = compressed(name)
        for dataset in series.slices:
            dataset.Columns = 15
        with pytest.raises(UnreadableError, match=r"12 x 16, 1 component.*12 x 15"):
            read_ct(series.write())

    @pytest.mark.parametrize("name", ["jpeg-lossless-70 s16", "jpeg-2000 s16", "htj2k s16", "jpeg-ls s16"])
    def test_no_bytes_however_changed_leave_the_family(self, compressed, name, caplog):
        generator = np.random.default_rng(0)
        outcomes = set()
        for _ in range(15):
            stream = bytearray(STREAMS[name])
            for place in generator.integers(0, len(stream), 6):
                stream[place] = generator.integers(256)
            series = compressed(name, bytes(stream))
            with caplog.at_level(logging.CRITICAL):
                try:
                    outcomes.add(read_ct(series.write()).array.shape)
                except UnreadableError:
                    outcomes.add("refused")
        assert "refused" in outcomes

    def test_empty_fragments(self, compressed):
        series = compressed("jpeg-ls u12")
        series.slices[0].PixelData = b"\xfe\xff\x00\xe0\x00\x00\x00\x00" * 2
        with pytest.raises(UnreadableError, match="cut short or corrupt"):
            read_ct(series.write())

    def test_more_frames_than_the_header_says(self, compressed, encapsulated):
        series = compressed("jpeg-ls u12")
        encapsulated(series.slices[0], [STREAMS["jpeg-ls u12"]] * 2, uid.JPEGLSLossless)
        with pytest.raises(UnreadableError, match=r"more frames than the header describes \(found 2; expected 1\)"):
            read_ct(series.write())

    def test_pydicom_logs_nothing_of_what_is_refused(self, compressed, caplog):
        with pytest.raises(UnreadableError), caplog.at_level(logging.DEBUG):
            read_ct(compressed("htj2k u12", STREAMS["htj2k u12"][:200] + b"\xff\xd9").write())
        assert "Traceback" not in caplog.text

    def test_run_lengths_cut_short(self, stored_series, encapsulated):
        series = stored_series([picture(12, False)] * 2)
        series.slices[1].compress(uid.RLELossless, generate_instance_uid=False)
        series.slices[1].PixelData = series.slices[1].PixelData[:200]
        with pytest.raises(UnreadableError, match=r"_001\.dcm: the .*(cut short|corrupt)"):
            read_ct(series.write())

    def test_a_syntax_that_is_none_of_images(self, compressed):
        series = compressed("jpeg-ls u12")
        for dataset in series.slices:
            dataset.file_meta.TransferSyntaxUID = uid.UID("1.2.840.10008.1.2.4.100")  # MPEG-2
        with pytest.raises(UnreadableError, match=r"none of CT \(found 1\.2\.840\.10008\.1\.2\.4\.100\)"):
            read_ct(series.write())
