"""The header of one DICOM file: the few attributes that are asked for, and where the pixels lie.

The walker reads what is ordinary; pydicom reads the rest, and every multi-frame object of the
enhanced kind, whose data set is kept because its frames are described in sequences.
"""

import contextlib
import dataclasses
import functools
import io
import logging
import struct
import warnings
import zlib
from collections.abc import Iterator

import pydicom
from pydicom import config
from pydicom.charset import convert_encodings, decode_bytes
from pydicom.multival import MultiValue

from data_prep.read import walker
from data_prep.read.attributes import INTEGER_TAGS, INTEGERS, TAGS, WANTED
from data_prep.read.head import Head
from data_prep.read.reject import Reject, Why
from data_prep.read.remembered import Remembered

# pydicom quotes values that it finds strange: what a header says may not reach a log.
logging.getLogger("pydicom").setLevel(logging.CRITICAL)
config.settings.reading_validation_mode = config.IGNORE

ENHANCED = frozenset(  # Enhanced MR and Legacy Converted Enhanced MR Image Storage (PS3.4 B.5)
    ("1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.4.4")
)
DICOMDIR = "1.2.840.10008.1.3.10"  # Media Storage Directory Storage
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
# A deflated file may not grow beyond this: a real one holds an image or a series of them.
LARGEST_INFLATED = 1 << 29
LARGEST_MATRIX, MOST_FRAMES = 4096, 20_000
PLAIN_META = b"\x02\x00\x10\x00UI\x14\x00" + walker.EXPLICIT.encode().ljust(20, b"\0")

DELIMITERS = set(b"\\^=\r\n\t\f")  # after which ISO 2022 starts anew (PS3.5 6.1.2.5.3)

Values = dict[str, str | int]


@dataclasses.dataclass(frozen=True)
class Header:
    """Values by keyword; the pixels start at `pixel_offset`, or at -1 where pydicom decodes."""

    values: Values
    transfer_syntax: str
    pixel_offset: int
    pixel_length: int
    size: int  # of the file, inflated
    dataset: pydicom.Dataset | None = None

    def text(self, keyword: str) -> str:
        """A value as text, empty where it is absent."""
        return str(self.values.get(keyword, ""))

    def integer(self, keyword: str) -> int:
        """A binary number, 0 where it is absent."""
        return int(self.values.get(keyword, 0))


def read(file: Head) -> Header | Reject:
    """Reads a header from the first bytes of a file, or from the whole where that is needed."""
    if file.dataset is not None:
        return _without_file(file)
    if file.size == 0:
        return Reject(Why.EMPTY_FILE, file.where)
    if not _is_dicom(file.head):
        return Reject(Why.NOT_DICOM, file.where)
    data = file.head
    found = walker.walk(data, WANTED)
    if found is None and len(data) < file.size:
        try:
            data = file.all()
        except Exception as error:  # a disk's, an archive's, a server's
            return Reject(Why.IO_ERROR, file.where, type(error).__name__)
        found = walker.walk(data, WANTED)
    if found is None or _text(found, 0x00080016) in ENHANCED:
        return _through_pydicom(file.where, data, file.size)
    offset = found.pixel_offset if found.pixel_length >= 0 else -1
    return Header(_texts(found), found.transfer_syntax, offset, found.pixel_length, file.size)


def _without_file(file: Head) -> Header | Reject:
    """A header that came alone: the pixels are where the server says, and decoded by pydicom."""
    assert file.dataset is not None
    try:
        with quiet():
            values = _from_dataset(file.dataset)
    except Exception as error:
        return Reject(Why.UNREADABLE, file.where, type(error).__name__)
    kept = file.dataset if values.get("SOPClassUID") in ENHANCED else None
    return Header(values, "", -1, -1, file.size, kept)


def inflate(data: bytes) -> bytes:
    """A deflated file as a plain one (PS3.5 A.5); any other as it is.  ValueError: too large."""
    try:
        syntax, start = walker.read_meta(data)
    except (struct.error, UnicodeDecodeError, walker.Unusual):
        return data
    if syntax != DEFLATED:
        return data
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    body = unpacker.decompress(data[start:], LARGEST_INFLATED)
    if unpacker.unconsumed_tail:
        raise ValueError(f"inflates to more than {LARGEST_INFLATED} bytes")
    return b"\0" * 128 + b"DICM" + PLAIN_META + body


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silences warnings, which quote the file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _is_dicom(head: bytes) -> bool:
    """A preamble, or a first element of group 2 or 8 as files without one begin."""
    if head[128:132] == b"DICM":
        return True
    if len(head) < 12 or head[:2] not in (b"\x02\x00", b"\x08\x00") or head[3] != 0:
        return False
    length = int.from_bytes(head[4:8], "little")
    return walker.looks_explicit(head, 0) or length <= 64


def _text(found: walker.Walk, tag: int) -> str:
    return found.values.get(tag, b"").decode("latin-1").strip("\0 ")


def _texts(found: walker.Walk) -> Values:
    values: Values = {}
    texts = _decoded(_text(found, 0x00080005))
    for tag, raw in found.values.items():
        keyword = TAGS[tag]
        if tag in INTEGER_TAGS:
            values[keyword] = int.from_bytes(raw[:2], "little")
        elif keyword == "PixelPaddingValue":  # a pixel: binary, signed as they are
            signed = found.values.get(0x00280103, b"\0")[:1] == b"\1"
            values[keyword] = str(int.from_bytes(raw[:2], "little", signed=signed))
        else:
            values[keyword] = texts[raw]
    return values


@functools.lru_cache(16)  # character sets
def _decoded(charset: str) -> Remembered[bytes, str]:
    """Text of bytes in the character set that the file names (PS3.3 C.12.1.1.2)."""

    def text(raw: bytes) -> str:
        # ISO 2022 switches character sets by escapes within plain bytes.
        plain = raw.isascii() and b"\x1b" not in raw
        return (str(raw, "ascii") if plain else decode(raw)).strip("\0 ")

    def decode(raw: bytes) -> str:
        if "192" in charset:
            return raw.decode("utf-8", "replace")
        if not charset or charset == "ISO_IR 100":
            return raw.decode("latin-1")
        try:
            with quiet():
                encodings = convert_encodings(charset.split("\\"))
                return decode_bytes(raw, encodings, DELIMITERS)
        except (LookupError, UnicodeError, ValueError):
            return raw.decode("latin-1")

    return Remembered(text)


def _through_pydicom(where: str, data: bytes, size: int) -> Header | Reject:
    try:
        plain = inflate(data)
        if plain is not data:
            found = read(Head(where, plain, len(plain)))
            if isinstance(found, Reject):
                return found
            # Whoever reads the pixels must inflate the file again.
            return dataclasses.replace(found, transfer_syntax=DEFLATED)
        file = io.BytesIO(data)
        with quiet():
            dataset = pydicom.dcmread(file, stop_before_pixels=True, force=data[128:132] != b"DICM")
            values = _from_dataset(dataset)
        syntax = str(dataset.file_meta.get("TransferSyntaxUID", ""))
        implicit, little = dataset.original_encoding
        if (not syntax or syntax in walker.NATIVE) and little:  # what it is, not what it says
            syntax = walker.IMPLICIT if implicit else walker.EXPLICIT
        media = str(dataset.file_meta.get("MediaStorageSOPClassUID", ""))
    except (ValueError, zlib.error) as error:
        return Reject(Why.TOO_LARGE if "inflates" in str(error) else Why.UNREADABLE, where)
    except EOFError:
        return Reject(Why.TRUNCATED, where)
    except Exception as error:  # pydicom raises what its parts raise; the file is counted, not lost
        return Reject(Why.UNREADABLE, where, type(error).__name__)
    if media == DICOMDIR:
        return Reject(Why.DICOMDIR, where)
    offset, length = _pixels_at(data, file.tell(), syntax)
    kept = dataset if values.get("SOPClassUID") in ENHANCED else None
    return Header(values, syntax, offset, length, size, kept)


def _from_dataset(dataset: pydicom.Dataset) -> Values:
    values: Values = {}
    for tag in WANTED:
        if tag in dataset:
            values[TAGS[tag]] = as_text(dataset[tag].value)
    for keyword in INTEGERS:
        digits = str(values.get(keyword, "0"))
        values[keyword] = int(digits) if digits.isdigit() else 0
    return values


def as_text(value: object) -> str:
    """A pydicom value as it stands in a file: several joined by a backslash."""
    if isinstance(value, MultiValue | list):
        return "\\".join(map(str, value))
    return "" if value is None else str(value)


def _pixels_at(data: bytes, position: int, syntax: str) -> tuple[int, int]:
    """(offset, length) of native little-endian pixels; (-1, -1) where pydicom must decode.

    A length of 0 says that there are no pixels.
    """
    if len(data) < position + 12:
        return -1, 0
    if syntax not in walker.NATIVE:
        return -1, -1
    start = position + (12 if syntax == walker.EXPLICIT else 8)
    return start, int.from_bytes(data[start - 4 : start], "little")
