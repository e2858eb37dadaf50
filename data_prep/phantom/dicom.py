"""Writes MR Image Storage (PS3.3 A.4), explicit VR little endian, element by element.

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
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage

UID_ROOT = "1.2.826.0.1.3680043.10.1338"  # for invented objects only

# Value representations whose text is ASCII whatever the character set, and short.
PLAIN = {"UI", "IS", "DS", "TM"}

Encoded = dict[int, bytes]


def uid(*numbers: int) -> str:
    """A UID of this phantom from a few numbers."""
    return ".".join([UID_ROOT, *map(str, numbers)])


def encode(values: Mapping[str, Any]) -> Encoded:
    """Encodes attributes, keyed by DICOM keyword, to {tag: bytes}."""
    encoded = {}
    for keyword, value in values.items():
        tag, vr = _known(keyword)
        if vr in PLAIN and value is not None:
            encoded[tag] = _plain(tag, vr, value)
        else:
            out = _buffer()
            write_data_element(out, DataElement(tag, vr, value))
            encoded[tag] = out.getvalue()
    return encoded


@functools.cache
def _known(keyword: str) -> tuple[int, str]:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise ValueError(f"{keyword} is not a DICOM keyword")
    return tag, dictionary_VR(tag)


def _plain(tag: int, vr: str, value: str | list[str]) -> bytes:
    """One element of plain ASCII (PS3.5 7.1.2): every frame has ten, so the general writer is slow."""
    text = (value if isinstance(value, str) else "\\".join(value)).encode("ascii")
    if len(text) % 2:
        text += b"\0" if vr == "UI" else b" "
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(text)) + text


def header(stack: Encoded, frame: Encoded, sop_instance_uid: str, pixel_bytes: int) -> bytes:
    """The file up to the first pixel: preamble, meta information, elements, pixel data's length."""
    template, placeholder = _meta(len(sop_instance_uid))
    meta = template.replace(placeholder, sop_instance_uid.encode())
    elements = stack | frame
    body = b"".join(elements[tag] for tag in sorted(elements))
    length = pixel_bytes.to_bytes(4, "little")
    return b"\0" * 128 + b"DICM" + meta + body + b"\xe0\x7f\x10\x00OW\0\0" + length


@functools.cache
def _meta(uid_length: int) -> tuple[bytes, bytes]:
    """Meta information for any UID of this length, and the placeholder that stands for it."""
    placeholder = "7" * uid_length
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = UID(placeholder)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    out = _buffer()
    write_file_meta_info(out, meta, enforce_standard=True)
    return out.getvalue(), placeholder.encode()


def pixel_data(frame: np.ndarray) -> bytes:
    """Pixels of one frame, (rows, columns) uint16."""
    return frame.astype("<u2").tobytes()


def _buffer() -> DicomBytesIO:
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, False
    return out
