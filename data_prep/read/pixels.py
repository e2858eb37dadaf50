"""Decodes pixels to real values: stored bits, sign, slope, padding, MONOCHROME1."""

from collections.abc import Sequence

import numpy as np

from data_prep.read import codecs, header, nifti
from data_prep.read.instance import Instance
from data_prep.read.reject import Reject, Why

PLAIN = tuple(map(np.dtype, ("u1", "i1", "u2", "i2")))  # exact as 32-bit floats
LARGEST_VALUE = 1e9  # beyond it 32-bit floats hold no contrast


def decode(frames: Sequence[Instance], data: bytes) -> list[np.ndarray | Reject]:
    """Modality values of frames of one file, (rows, columns) each, from all its bytes.

    They are float32, or integers as they are stored where these are the values.
    """
    first = frames[0]
    try:
        if first.transfer_syntax == nifti.SYNTAX:
            stored = nifti.decode(data, [f.frame for f in frames])
        elif first.pixel_offset >= 0:
            deflated = first.transfer_syntax == header.DEFLATED
            plain = header.inflate(data) if deflated else data
            stored = [_native(f, plain) for f in frames]
        else:
            stored = codecs.decode(data, [f.frame for f in frames])
    except Exception as error:  # codecs raise what they like; the frame is counted, not lost
        return [Reject(Why.DECODE_FAILED, f.where, _said(f, error)) for f in frames]
    return [_real(f, s) for f, s in zip(frames, stored, strict=True)]


def _said(frame: Instance, error: Exception) -> str:
    name = str(error) if isinstance(error, codecs.CodecError) else type(error).__name__
    return f"transfer syntax {frame.transfer_syntax}: {name}"


def _real(frame: Instance, stored: np.ndarray) -> np.ndarray | Reject:
    if stored.shape != (frame.rows, frame.columns):
        return Reject(Why.BAD_PIXELS, frame.where, f"decoded to {stored.shape}")
    padding = frame.number("PixelPaddingValue")
    slope, intercept = frame.number("RescaleSlope"), frame.number("RescaleIntercept")
    scaled = slope not in (None, 1.0) or bool(intercept)
    # MONOCHROME1 shows low values bright (PS3.3 C.7.6.3.1.2).
    inverted = frame.text.get("PhotometricInterpretation") == "MONOCHROME1"
    if stored.dtype in PLAIN and padding is None and not scaled and not inverted:
        return stored
    values = stored.astype(np.float32)
    outside = np.isnan(values) if padding is None else (stored == padding) | np.isnan(values)
    if outside.any() and not outside.all():
        values[outside] = values[~outside].min()  # no tissue: as dark as the darkest
    with np.errstate(over="ignore", invalid="ignore"):  # looked at next
        if slope is not None:
            values *= np.float32(slope)
        if intercept:
            values += np.float32(intercept)
        usable = -LARGEST_VALUE <= values.min() <= values.max() <= LARGEST_VALUE  # NaN is not
    if not usable:
        return Reject(Why.BAD_PIXELS, frame.where, "values beyond any scanner")
    return -values if inverted else values


def _native(frame: Instance, data: bytes) -> np.ndarray:
    allocated, stored, high, signed = frame.bits
    count = frame.rows * frame.columns
    raw = np.frombuffer(data, f"<u{allocated // 8}", count, frame.pixel_offset)
    # Bits above the stored ones may hold overlays or garbage (PS3.5 8.1.1).
    values = raw if high + 1 == stored else raw >> (high + 1 - stored)
    if signed:
        lift = allocated - stored  # the stored sign bit becomes the sign
        values = (values.view(f"<i{allocated // 8}") << lift) >> lift
    elif values.max() >= 1 << stored:
        values = values & np.array((1 << stored) - 1, raw.dtype)
    return values.reshape(frame.rows, frame.columns)
