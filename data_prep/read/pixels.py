"""Decodes the pixels of one instance to real values: stored bits, sign, slope, MONOCHROME1."""

import io

import numpy as np
import pydicom

from data_prep.read.instance import Instance
from data_prep.read.reject import Reject, Why


def decode(instance: Instance, data: bytes) -> np.ndarray | Reject:
    """Modality values of one frame, float32 (rows, columns), from the whole file's bytes."""
    try:
        stored = _native(instance, data) if instance.pixel_offset >= 0 else _decoded(data)
    except Exception as error:  # codecs raise what they like; the frame is counted, not lost
        return Reject(Why.DECODE_FAILED, instance.where, type(error).__name__)
    if stored.shape != (instance.rows, instance.columns):
        return Reject(Why.BAD_PIXELS, instance.where, f"decoded to {stored.shape}")
    values = stored.astype(np.float32)
    slope, intercept = instance.number("RescaleSlope"), instance.number("RescaleIntercept")
    values = values * (1.0 if slope is None else slope) + (intercept or 0.0)
    # MONOCHROME1 shows low values bright (PS3.3 C.7.6.3.1.2).
    return -values if instance.text.get("PhotometricInterpretation") == "MONOCHROME1" else values


def _native(instance: Instance, data: bytes) -> np.ndarray:
    allocated, stored, high, signed = instance.bits
    count = instance.rows * instance.columns
    raw = np.frombuffer(data, f"<u{allocated // 8}", count, instance.pixel_offset)
    # Bits above the stored ones may hold overlays or garbage (PS3.5 8.1.1).
    values = (raw.astype(np.int32) >> max(high + 1 - stored, 0)) & ((1 << stored) - 1)
    if signed:
        values = values - ((values >> (stored - 1)) << stored)
    return values.reshape(instance.rows, instance.columns)


def _decoded(data: bytes) -> np.ndarray:
    return pydicom.dcmread(io.BytesIO(data)).pixel_array
