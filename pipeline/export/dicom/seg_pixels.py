"""The pixel data of a SEG: packed as they are, or compressed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from highdicom.frame import encode_frame
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, JPEG2000Lossless

from pipeline.export.dicom.options import SegEncoding
from pipeline.export.dicom.seg_frames import Frame
from transforms.errors import MissingExtraError

#: Up to this many bytes `auto` leaves frames uncompressed, which all software reads; beyond, it deflates them.
SMALL_BYTES = 5 * 10**6
#: The encoder takes no smaller images; they stay uncompressed.
SMALLEST_JPEG2000 = 32


def choose_syntax(encoding: SegEncoding, frames: Sequence[Frame], rows: int, columns: int) -> UID:
    """Choose the transfer syntax.

    Args:
        encoding: The setting.
        frames: What is to be stored.
        rows: Pixels in a column.
        columns: Pixels in a row.

    Returns:
        The transfer syntax.

    Raises:
        MissingExtraError: When JPEG 2000 is asked for and there is no encoder.
    """
    if encoding == "auto":
        small = sum(len(frame.pixels) for frame in frames) <= SMALL_BYTES
        return ExplicitVRLittleEndian if small else DeflatedExplicitVRLittleEndian
    if encoding == "deflated":
        return DeflatedExplicitVRLittleEndian
    if encoding == "uncompressed" or min(rows, columns) < SMALLEST_JPEG2000:
        return ExplicitVRLittleEndian
    if not get_encoder(JPEG2000Lossless).is_available:
        raise MissingExtraError(
            "JPEG 2000 needs another package", where="seg_encoding", remedy="Run `pip install ctvol[codecs]`"
        )
    return JPEG2000Lossless


def encode(frames: Sequence[Frame], syntax: UID, rows: int, columns: int) -> bytes:
    """Make pixel data of frames.

    Args:
        frames: In the order of the file.
        syntax: Of :func:`choose_syntax`.
        rows: Pixels in a column.
        columns: Pixels in a row.

    Returns:
        The value of Pixel Data, of even length.
    """
    if syntax == JPEG2000Lossless:
        return bytes(encapsulate([_compressed(frame, rows, columns) for frame in frames]))
    is_packed = frames[0].segment is not None
    if is_packed and rows * columns % 8:
        # The bits of one frame follow those of the one before, also within a byte.
        bits = np.concatenate([_bits(frame, rows * columns) for frame in frames])
        value = np.packbits(bits, bitorder="little").tobytes()
    else:
        value = b"".join(frame.pixels for frame in frames)
    return value + bytes(len(value) % 2)


def _compressed(frame: Frame, rows: int, columns: int) -> bytes:
    is_packed = frame.segment is not None
    pixels = _bits(frame, rows * columns) if is_packed else np.frombuffer(frame.pixels, dtype=np.uint8)
    depth = 1 if is_packed else 8
    return bytes(
        encode_frame(
            pixels.reshape(rows, columns),
            transfer_syntax_uid=JPEG2000Lossless,
            bits_allocated=depth,
            bits_stored=depth,
            photometric_interpretation="MONOCHROME2",
            pixel_representation=0,
        )
    )


def _bits(frame: Frame, count: int) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.unpackbits(np.frombuffer(frame.pixels, dtype=np.uint8), count=count, bitorder="little")
