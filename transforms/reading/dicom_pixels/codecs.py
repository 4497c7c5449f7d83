"""Which decoder reads which transfer syntax."""

from __future__ import annotations

import re

from pydicom import uid
from pydicom.pixels.decoders.base import Decoder, get_decoder

from transforms.dicom_headers import Slice
from transforms.errors import MissingExtraError
from transforms.reading.dicom_pixels.layout import Layout, unreadable

LOSSY = frozenset({uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLSNearLossless, uid.JPEG2000, uid.HTJ2K})
"""Transfer syntaxes whose decoders may give values that were never stored."""

_JPEG_8_BIT = ("gdcm", "pillow", "pylibjpeg")
_LOSSLESS_JPEG = ("gdcm", "pylibjpeg")
_JPEG_LS = ("gdcm", "pyjpegls")
_JPEG_2000 = ("pylibjpeg", "gdcm", "pillow")
_PREFERENCES: dict[str, tuple[str, ...]] = {
    uid.JPEGBaseline8Bit: _JPEG_8_BIT,
    uid.JPEGExtended12Bit: _JPEG_8_BIT,
    uid.JPEGLossless: _LOSSLESS_JPEG,
    uid.JPEGLosslessSV1: _LOSSLESS_JPEG,
    uid.JPEGLSLossless: _JPEG_LS,
    uid.JPEGLSNearLossless: _JPEG_LS,
    uid.JPEG2000Lossless: _JPEG_2000,
    uid.JPEG2000: _JPEG_2000,
    uid.HTJ2KLossless: ("pylibjpeg",),
    uid.HTJ2KLosslessRPCL: ("pylibjpeg",),
    uid.HTJ2K: ("pylibjpeg",),
    uid.RLELossless: ("pylibjpeg", "pydicom"),
}
"""One decoder is used, the first that is there. To try the next where one fails, as pydicom does by itself, would let a
stream that a strict decoder refuses through to one that fills the rest of the picture with anything."""


def decoder_of(one: Slice, layout: Layout) -> tuple[Decoder, str]:
    """The decoder of a slice's transfer syntax, and the plugin that it is to use (none where it needs none).

    Raises:
        UnreadableError: When there is no decoder for it at all.
        MissingExtraError: When none is installed.
    """
    syntax = uid.UID(one.pixels.transfer_syntax)
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError as error:
        named = syntax if re.fullmatch(r"[0-9.]+", syntax) else "one that is no UID"
        raise unreadable(one, "the transfer syntax is none of CT", str(named)) from error
    if not decoder.is_encapsulated:
        return decoder, ""
    wanted = _PREFERENCES.get(syntax, ())
    if syntax == uid.JPEGExtended12Bit and layout.bits_stored > 8:
        wanted = ("pylibjpeg",)
    plugin = next((name for name in wanted if name in decoder.available_plugins), None)
    if plugin is None:
        raise MissingExtraError(
            "the pixels are compressed in a way that needs another package",
            where=one.file.name,
            found=f"transfer syntax {syntax.name}",
            remedy="Run `pip install ctvol[codecs]`, or export the series uncompressed",
        )
    return decoder, plugin
