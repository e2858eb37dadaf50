"""Writes MR objects (PS3.3 A.4, A.36), explicit or implicit VR little endian, element by element.

Elements common to a stack are encoded once; a frame adds its own.  The header can be had
without the pixels, so that a header pass over the phantom renders nothing.
"""

import functools
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element, write_file_meta_info
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MRImageStorage,
)

from data_prep.phantom.planning import Plane

UID_ROOT = "1.2.826.0.1.3680043.10.1338"  # for invented objects only

# Value representations that are text, with a length of two bytes where it is explicit.
TEXT = {"AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UI"}

Encoded = dict[int, bytes]


def uid(*numbers: int) -> str:
    """A UID of this phantom from a few numbers."""
    return ".".join([UID_ROOT, *map(str, numbers)])


def encode(values: Mapping[str, Any], implicit: bool = False, codec: str = "utf-8") -> Encoded:
    """Encodes attributes, keyed by DICOM keyword, to {tag: bytes}.

    Text is written as it comes, in `codec`, also where the standard would not have it.
    """
    encoded = {}
    for keyword, value in values.items():
        tag, vr = _known(keyword)
        if vr in TEXT and value is not None:
            encoded[tag] = _text(tag, vr, value, implicit, codec)
        else:
            out = _buffer(implicit)
            write_data_element(
                out, DataElement(tag, vr, value, is_undefined_length=_is_open(value))
            )
            encoded[tag] = out.getvalue()
    return encoded


def pixel_module(plane: Plane, stored: int = 12, signed: bool = False) -> dict[str, Any]:
    """Where the pixels of a plane lie, and how one is stored in two bytes."""
    return {
        "ImageOrientationPatient": [f"{v:.6f}" for v in (*plane.row, *plane.column)],
        "PixelSpacing": [f"{plane.spacing_mm:.5f}"] * 2,
        "SliceThickness": f"{plane.thickness_mm:.2f}",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": plane.matrix,
        "Columns": plane.matrix,
        "BitsAllocated": 16,
        "BitsStored": stored,
        "HighBit": stored - 1,
        "PixelRepresentation": int(signed),
    }


def time_of_day(seconds: float) -> str:
    """Seconds of the day as DICOM TM, with microseconds."""
    whole = int(seconds)
    micro = int((seconds - whole) * 1e6)
    return f"{whole // 3600:02d}{whole // 60 % 60:02d}{whole % 60:02d}.{micro:06d}"


@functools.cache
def _known(keyword: str) -> tuple[int, str]:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise ValueError(f"{keyword} is not a DICOM keyword")
    return tag, dictionary_VR(tag)


def _text(tag: int, vr: str, value: str | list[str], implicit: bool, codec: str) -> bytes:
    """One element of text (PS3.5 7.1.2): every frame has ten, so the general writer is slow."""
    text = (value if isinstance(value, str) else "\\".join(value)).encode(codec, "replace")
    if len(text) % 2:
        text += b"\0" if vr == "UI" else b" "
    if implicit:
        return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(text)) + text
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(text)) + text


def header(
    stack: Encoded,
    frame: Encoded,
    sop_instance_uid: str,
    pixel_bytes: int,
    sop_class: str = MRImageStorage,
    implicit: bool = False,
) -> bytes:
    """The file up to the first pixel: preamble, meta information, elements, pixel data's length."""
    template, placeholder = _meta(len(sop_instance_uid), sop_class, implicit)
    meta = template.replace(placeholder, sop_instance_uid.encode())
    elements = stack | frame
    body = b"".join(elements[tag] for tag in sorted(elements))
    length = pixel_bytes.to_bytes(4, "little")
    pixels = b"\xe0\x7f\x10\x00" + (b"" if implicit else b"OW\0\0") + length
    return b"\0" * 128 + b"DICM" + meta + body + pixels


def _is_open(value: Any) -> bool:
    """Whether a sequence is to be written without its length, with an end marker instead."""
    return isinstance(value, Sequence) and getattr(value, "is_undefined_length", False)


@functools.cache
def _meta(uid_length: int, sop_class: str, implicit: bool) -> tuple[bytes, bytes]:
    """Meta information for any UID of this length, and the placeholder that stands for it."""
    placeholder = "7" * uid_length
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = UID(placeholder)
    meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    out = _buffer()  # meta information is explicit, always
    write_file_meta_info(out, meta, enforce_standard=True)
    return out.getvalue(), placeholder.encode()


def pixel_data(frame: np.ndarray) -> bytes:
    """Pixels of one frame, (rows, columns) uint16."""
    return frame.astype("<u2").tobytes()


def _buffer(implicit: bool = False) -> DicomBytesIO:
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, implicit
    return out
