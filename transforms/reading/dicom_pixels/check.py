"""What headers alone say against decoding."""

from __future__ import annotations

from collections.abc import Iterable

from transforms.dicom_headers import Slice
from transforms.reading.dicom_pixels.codecs import decoder_of
from transforms.reading.dicom_pixels.layout import layout_of, unreadable
from transforms.reading.dicom_pixels.native import check_length, is_native


def check_stored(slices: Iterable[Slice]) -> None:
    """Refuses what :func:`decode` would refuse for its headers, or for files that end before their pixels do.

    Raises:
        UnreadableError: When the pixels are missing or cut short, or stored in a way that cannot be.
        MissingExtraError: When they are compressed in a way that needs another package.
    """
    one_a_file = {str(one.file.path): one for one in slices}
    for one in one_a_file.values():
        layout = layout_of(one)
        if not is_native(one):
            decoder_of(one, layout)
            continue
        check_length(one, layout)
        end, size = (one.pixels.start or 0) + (one.pixels.length or 0), one.file.path.stat().st_size
        if end > size:
            raise unreadable(one, "the pixels are cut short", f"a file of {size} bytes", f"{end} bytes")
