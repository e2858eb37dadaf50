"""Bad DICOM made from a good object of the phantom: what it is, and what must become of it."""

import functools
import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import PIL.Image
import pydicom
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from data_prep.phantom.protocol import profile
from data_prep.phantom.study import Study
from data_prep.read import header
from data_prep.read.reject import Why

FINE = "fine"  # read as if nothing were wrong


@functools.cache
def good() -> bytes:
    """One frame of a cine."""
    return next(iter(Study(profile("tiny"), 0).files()))[1]


def dataset() -> pydicom.FileDataset:
    """The same as a data set to be spoilt."""
    return pydicom.dcmread(io.BytesIO(good()))


def saved(ds: Dataset, **options) -> bytes:
    """Its bytes, written without anybody checking them."""
    out = io.BytesIO()
    with header.quiet():
        ds.save_as(out, **options)
    return out.getvalue()


def attributes(**changes) -> Callable[[], bytes]:
    """The good object with other values; None deletes."""

    def make() -> bytes:
        ds = dataset()
        for keyword, value in changes.items():
            if value is None:
                del ds[keyword]
            else:
                setattr(ds, keyword, value)
        return saved(ds)

    return make


def raw(keyword: str, value: bytes) -> Callable[[], bytes]:
    """The good object with these very bytes as a value, padded to an even length."""

    def make() -> bytes:
        tag = pydicom.datadict.tag_for_keyword(keyword)
        assert tag is not None
        data, key = good(), struct.pack("<HH", tag >> 16, tag & 0xFFFF)
        at = data.index(key, 132)
        length = struct.unpack_from("<H", data, at + 6)[0]
        padded = value + b" " * (len(value) % 2)
        return data[: at + 6] + struct.pack("<H", len(padded)) + padded + data[at + 8 + length :]

    return make


def transfer(syntax: UID) -> Callable[[], bytes]:
    """The good object in another transfer syntax."""

    def make() -> bytes:
        ds = dataset()
        if syntax is RLELossless:
            ds.compress(RLELossless)
            return saved(ds)
        if syntax is ExplicitVRBigEndian:
            ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
        fresh = Dataset()  # which remembers no encoding
        fresh.update({e.tag: e for e in ds})
        fresh.file_meta = ds.file_meta
        fresh.file_meta.TransferSyntaxUID = syntax
        return saved(fresh, enforce_file_format=True)

    return make


def without_preamble() -> bytes:
    """The data set alone, as some archives keep it."""
    data = good()
    return data[data.index(b"\x08\x00\x05\x00CS") :]


def without_meta_syntax() -> bytes:
    """File meta information that does not name the transfer syntax."""
    ds = dataset()
    del ds.file_meta.TransferSyntaxUID
    return saved(ds, implicit_vr=False, little_endian=True, enforce_file_format=False)


def says_explicit_is_implicit() -> bytes:
    """A header whose encoding is not the one it names."""
    ds = dataset()
    body = saved(ds, implicit_vr=True, little_endian=True, force_encoding=True)
    return body.replace(b"1.2.840.10008.1.2\0", b"1.2.840.10008.1.2.1"[:18], 1)


def encapsulated(syntax: str, frames: list[bytes], **changes) -> Callable[[], bytes]:
    """Pixel data that a codec must refuse."""

    def make() -> bytes:
        ds = dataset()
        for keyword, value in changes.items():
            setattr(ds, keyword, value)
        ds.file_meta.TransferSyntaxUID = UID(syntax)
        ds.PixelData = encapsulate(frames)
        ds["PixelData"].is_undefined_length = True
        return saved(ds)

    return make


def jpeg(change: Callable[[bytes], bytes] = bytes) -> Callable[[], bytes]:
    """A lossy JPEG of 8 bits whose stream is changed."""
    picture = (np.arange(48 * 48) % 251).astype(np.uint8).reshape(48, 48)
    out = io.BytesIO()
    PIL.Image.fromarray(picture).save(out, "JPEG")
    bits = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0}
    return encapsulated("1.2.840.10008.1.2.4.50", [change(out.getvalue())], **bits)


def deflated_bomb() -> bytes:
    """A small file that inflates beyond the limit."""
    ds = dataset()
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    whole = saved(ds)
    _, start = header.walker.read_meta(whole)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    zeros = b"\0" * (1 << 24)
    body = b"".join(packer.compress(zeros) for _ in range((header.LARGEST_INFLATED >> 24) + 1))
    return whole[:start] + body + packer.flush()


def nested(levels: int) -> Callable[[], bytes]:
    """Sequences in sequences, of undefined length, written by hand."""

    def make() -> bytes:
        data = good()
        at = data.index(b"\x10\x00\x10\x00PN")  # before PatientName
        opened = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
        closed = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
        return data[:at] + opened * levels + closed * levels + data[at:]

    return make


def private_block(size: int) -> Callable[[], bytes]:
    """A large private element before the pixels."""

    def make() -> bytes:
        ds = dataset()
        block = ds.private_block(0x0029, "SOMEBODY", create=True)
        block.add_new(0x10, "OB", b"\x55" * size)
        return saved(ds)

    return make


def empty_functional_groups() -> bytes:
    """As one scanner writes into every single-frame file."""
    ds = dataset()
    ds.PerFrameFunctionalGroupsSequence = Sequence([])
    return saved(ds)


def enhanced_without_frames() -> bytes:
    """An enhanced object whose frames are not described."""
    ds = dataset()
    ds.SOPClassUID = UID("1.2.840.10008.5.1.4.1.1.4.1")
    ds.NumberOfFrames = 3
    ds.PixelData = 3 * ds.PixelData
    ds.PerFrameFunctionalGroupsSequence = Sequence([Dataset()])
    return saved(ds)


def dicomdir() -> bytes:
    """An index of files, with an image inside to mislead."""
    ds = dataset()
    ds.file_meta.MediaStorageSOPClassUID = UID(header.DICOMDIR)
    del ds.SOPClassUID, ds.PixelData
    return saved(ds)


def noise(count: int) -> bytes:
    """Bytes of no meaning, always the same."""
    return np.random.default_rng(0).bytes(count)


# What is wrong -> (the bytes, what becomes of them).
FILES: dict[str, tuple[Callable[[], bytes], Why | str]] = {
    "nothing": (good, FINE),
    "zero bytes": (lambda: b"", Why.EMPTY_FILE),
    "a text": (lambda: b"hello, " * 40, Why.NOT_DICOM),
    "noise": (lambda: noise(3000), Why.NOT_DICOM),
    "noise after the preamble": (lambda: good()[:132] + noise(3000), Why.UNREADABLE),
    "a zip": (lambda: b"PK\x03\x04" + noise(400), Why.NOT_DICOM),
    "a DICOMDIR": (dicomdir, Why.DICOMDIR),
    "cut in the preamble": (lambda: good()[:100], Why.NOT_DICOM),
    "cut in the header": (lambda: good()[:700], Why.TRUNCATED),
    "cut before the pixels": (lambda: good()[: -2 * 48 * 48 - 12], Why.TRUNCATED),
    "cut in the pixels": (lambda: good()[:-100], Why.TRUNCATED),
    "padding at the end": (lambda: good() + b"\0" * 1000, FINE),
    "no preamble": (without_preamble, FINE),
    "no transfer syntax": (without_meta_syntax, FINE),
    "explicit said, implicit written": (says_explicit_is_implicit, FINE),
    "implicit VR": (transfer(ImplicitVRLittleEndian), FINE),
    "big endian": (transfer(ExplicitVRBigEndian), FINE),
    "deflated": (transfer(DeflatedExplicitVRLittleEndian), FINE),
    "RLE": (transfer(RLELossless), FINE),
    "a deflate bomb": (deflated_bomb, Why.TOO_LARGE),
    "an RLE bomb": (
        encapsulated("1.2.840.10008.1.2.5", [b"\0" * 4800], Rows=16384, Columns=16384),
        Why.TOO_LARGE,
    ),
    "an unknown transfer syntax": (encapsulated("1.2.3.4", [b"\0" * 64]), Why.DECODE_FAILED),
    "MPEG-4": (encapsulated("1.2.840.10008.1.2.4.102", [b"\0" * 64]), Why.DECODE_FAILED),
    "broken JPEG-LS": (encapsulated("1.2.840.10008.1.2.4.80", [noise(64)]), Why.DECODE_FAILED),
    "broken JPEG 2000": (encapsulated("1.2.840.10008.1.2.4.90", [noise(64)]), Why.DECODE_FAILED),
    "broken lossless JPEG": (
        encapsulated("1.2.840.10008.1.2.4.70", [noise(64)]),
        Why.DECODE_FAILED,
    ),
    "JPEG of an unknown revision": (
        jpeg(lambda s: s.replace(b"JFIF\0\1", b"JFIF\0\x41")),
        Why.DECODE_FAILED,
    ),
    "JPEG of 131 bits": (
        jpeg(lambda s: s.replace(b"\xff\xc0\0\x0b\x08", b"\xff\xc0\0\x0b\x83")),
        Why.DECODE_FAILED,
    ),
    "JPEG with bytes between its headers": (
        jpeg(lambda s: s[:20] + b"xyz" + s[20:]),
        Why.DECODE_FAILED,
    ),
    "no compressed frame": (encapsulated("1.2.840.10008.1.2.5", [b"\0\0"]), Why.DECODE_FAILED),
    "65535 x 65535": (attributes(Rows=65535, Columns=65535), Why.TOO_LARGE),
    "no rows": (attributes(Rows=0), Why.BAD_PIXELS),
    "rows missing": (attributes(Rows=None), Why.BAD_PIXELS),
    "more rows than pixels": (attributes(Rows=96), Why.BAD_PIXELS),
    "a million frames": (attributes(NumberOfFrames=1_000_000), Why.NO_GEOMETRY),
    "frames nobody placed": (attributes(NumberOfFrames=16), Why.NO_GEOMETRY),
    "an enhanced object with nothing in it": (enhanced_without_frames, Why.NO_GEOMETRY),
    "functional groups in a classic object": (empty_functional_groups, FINE),
    "12 bits allocated": (attributes(BitsAllocated=12), Why.BAD_PIXELS),
    "more bits stored than allocated": (attributes(BitsStored=17, HighBit=16), Why.BAD_PIXELS),
    "a high bit below the stored ones": (attributes(HighBit=3), Why.BAD_PIXELS),
    "32 bits": (attributes(BitsAllocated=32, BitsStored=32, HighBit=31), Why.BAD_PIXELS),
    "colour": (attributes(SamplesPerPixel=3), Why.NOT_MR),
    "another SOP class": (attributes(SOPClassUID="1.2.840.10008.5.1.4.1.1.2"), Why.NOT_MR),
    "a structured report": (
        attributes(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", PixelData=None),
        Why.NOT_MR,
    ),
    "a secondary capture": (attributes(SOPClassUID="1.2.840.10008.5.1.4.1.1.7"), Why.NOT_MR),
    "no SOP class": (attributes(SOPClassUID=None), Why.UNREADABLE),
    "no SOPInstanceUID": (attributes(SOPInstanceUID=None), FINE),
    "another SOPInstanceUID in the meta": (attributes(SOPInstanceUID="1.2.3.4"), FINE),
    "burned in": (attributes(BurnedInAnnotation="YES"), Why.BURNED_IN),
    "a mosaic": (attributes(ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"]), Why.MOSAIC),
    "no patient": (attributes(PatientID=None), Why.NO_IDENTIFIER),
    "an empty patient": (attributes(PatientID=""), Why.NO_IDENTIFIER),
    "a patient of blanks": (raw("PatientID", b"   "), Why.NO_IDENTIFIER),
    "no study": (attributes(StudyInstanceUID=None), Why.NO_IDENTIFIER),
    "no series": (attributes(SeriesInstanceUID=None), Why.NO_IDENTIFIER),
    "no orientation": (attributes(ImageOrientationPatient=None), Why.NO_GEOMETRY),
    "five numbers of orientation": (
        attributes(ImageOrientationPatient=[1, 0, 0, 0, 1]),
        Why.NO_GEOMETRY,
    ),
    "orientation of zeros": (attributes(ImageOrientationPatient=[0] * 6), Why.BAD_GEOMETRY),
    "skewed orientation": (
        attributes(ImageOrientationPatient=[1, 0, 0, 0.7071068, 0.7071068, 0]),
        Why.BAD_GEOMETRY,
    ),
    "no position": (attributes(ImagePositionPatient=None), Why.NO_GEOMETRY),
    "a position of words": (raw("ImagePositionPatient", b"a\\b\\c"), Why.NO_GEOMETRY),
    "a position beyond the room": (
        attributes(ImagePositionPatient=[1e9, 0, 0]),
        Why.BAD_GEOMETRY,
    ),
    "no spacing": (attributes(PixelSpacing=None), Why.NO_GEOMETRY),
    "spacing 0": (attributes(PixelSpacing=[0, 0]), Why.BAD_GEOMETRY),
    "spacing of a metre": (attributes(PixelSpacing=[1400, 1400]), Why.BAD_GEOMETRY),
    "spacing that is no number": (raw("PixelSpacing", b"nan\\nan"), Why.NO_GEOMETRY),
    "spacing with a comma": (raw("PixelSpacing", b"5,0\\5,0"), FINE),
    "spacing of more than 16 characters": (
        raw("PixelSpacing", b"5.00000000000000000001\\5.00000000000000000001"),
        FINE,
    ),
    "2000 nested sequences": (nested(2000), Why.UNREADABLE),
    "5 nested sequences": (nested(5), FINE),
    "20 MB of private data": (private_block(20 << 20), FINE),
    "an unknown character set": (attributes(SpecificCharacterSet="ISO_IR 999"), FINE),
    "a name in other bytes than it says": (raw("PatientName", b"M\xfcller^K\xe4the"), FINE),
    "a path as a patient": (attributes(PatientID="../../../etc/passwd"), FINE),
    "zeros in a patient": (raw("PatientID", b"12\x0034"), FINE),
    "a trigger time that is none": (raw("TriggerTime", b"soon"), FINE),
    "a study of the year 2999": (attributes(StudyDate="29990101"), FINE),
    "a study on no day": (raw("StudyDate", b"20120000"), FINE),
}
