"""Wrote `codestreams.json`: small pictures in every compression of CT, by encoders that are none of ours.

Run with `pip install imagecodecs==2026.3.6` (libjpeg-turbo, liblj92, CharLS, OpenJPEG, OpenJPH), which the tests
themselves do not need.
"""

import base64
import json
from pathlib import Path

import numpy as np


def picture(bits, signed):
    """`(12, 16)` values over the whole range of some bits, smooth and rough in parts, both ends included."""
    rows, columns = np.mgrid[:12, :16]
    values = (rows * 37 + columns * 11 + (rows * columns) % 7 * 301) * (1 << bits) // 4096 % (1 << bits)
    values[0, 0], values[-1, -1] = 0, (1 << bits) - 1
    return values - (1 << (bits - 1)) if signed else values


def ramp():
    """`(12, 16)` values that lossy encoders keep within a few units."""
    return np.add.outer(np.arange(12) * 100, np.arange(16) * 90)


def streams():
    import imagecodecs

    for bits, signed in ((12, False), (12, True), (16, True), (16, False)):
        kind = f"{'s' if signed else 'u'}{bits}"
        values = picture(bits, signed)
        unsigned = (values & ((1 << bits) - 1)).astype(np.uint16)
        own = values.astype(np.int16) if signed else unsigned
        j2k = {"codecformat": "j2k", "bitspersample": bits}
        sof3 = {"lossless": True, "predictor": 6, "bitspersample": bits}
        yield f"jpeg-lossless-57 {kind}", imagecodecs.jpeg8_encode(unsigned, **sof3)
        yield f"jpeg-lossless-70 {kind}", imagecodecs.ljpeg_encode(unsigned, bitspersample=bits)
        yield f"jpeg-ls {kind}", imagecodecs.jpegls_encode(unsigned)
        yield f"jpeg-2000 {kind}", imagecodecs.jpeg2k_encode(own, level=0, reversible=True, **j2k)
        yield f"jpeg-2000-unsigned {kind}", imagecodecs.jpeg2k_encode(unsigned, level=0, reversible=True, **j2k)
        yield f"htj2k {kind}", imagecodecs.htj2k_encode(own, reversible=True)
    smooth = ramp().astype(np.uint16)
    yield "jpeg-ls-near ramp", imagecodecs.jpegls_encode(smooth, level=2)
    yield "jpeg-2000-lossy ramp", imagecodecs.jpeg2k_encode(smooth, level=60, codecformat="j2k", bitspersample=12)
    yield "htj2k-lossy ramp", imagecodecs.htj2k_encode(smooth, reversible=False)
    yield "jpeg-extended ramp", imagecodecs.jpeg8_encode(smooth, level=98, bitspersample=12)
    yield "jpeg-baseline ramp", imagecodecs.jpeg8_encode((smooth // 16).astype(np.uint8), level=98)


if __name__ == "__main__":
    texts = {name: base64.b64encode(stream).decode() for name, stream in streams()}
    Path(__file__).with_name("codestreams.json").write_text(json.dumps(texts, indent=1) + "\n")
