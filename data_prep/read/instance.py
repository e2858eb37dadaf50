"""One frame of MR as the preparation sees it: typed values, or a reject with the reason.

A classic object holds one frame, an enhanced one many; afterwards there is no difference.
"""

import dataclasses
import functools
import json
import math

import numpy as np

from data_prep.read import attributes, enhanced, header, nifti
from data_prep.read.head import Head
from data_prep.read.header import Header, Values
from data_prep.read.reject import Reject, Why
from data_prep.read.remembered import Remembered

MR_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.4"
# Tolerance of unit length and of orthogonality for ImageOrientationPatient.
ORIENTATION_TOLERANCE = 1e-3
SPACING_RANGE_MM = (0.3, 10.0)
FARTHEST_MM = 2000.0  # from the isocentre: nobody lies beyond the bore
PERSON_KEYWORDS = tuple(
    k
    for k in attributes.KEYWORDS
    if "Physician" in k or k.endswith(("PatientName", "PatientNames", "BirthName", "OperatorsName"))
)


@dataclasses.dataclass(frozen=True)
class Instance:
    """One frame of MR, placed in space.  `text` holds header strings: local, never shipped."""

    where: str
    frame: int  # in a file of several, from 0
    text: dict[str, str]
    orientation: tuple[float, ...]
    position: tuple[float, float, float]
    spacing_mm: tuple[float, float]
    rows: int
    columns: int
    bits: tuple[int, int, int, int]  # allocated, stored, high bit, representation
    transfer_syntax: str
    pixel_offset: int  # of this frame; -1: decode through pydicom
    pixel_length: int

    @property
    def oriented(self) -> bool:
        """Whether the axes are the patient's, not merely those of a file's voxels."""
        return self.transfer_syntax != nifti.SYNTAX or not nifti.is_unplaced(self.orientation)

    def number(self, keyword: str) -> float | None:
        """A numeric attribute, None where it is absent, empty or not a finite number."""
        return number(self.text.get(keyword, ""))


def number(text: str) -> float | None:
    """The first value of a DS or IS string; None where it is no finite number."""
    return _NUMBERS[text]


def _number(text: str) -> float | None:
    try:
        value = float(text.split("\\")[0].replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


_NUMBERS = Remembered(_number)


def read(file: Head) -> list[Instance | Reject]:
    """Every frame of one file."""
    where = file.where
    if nifti.is_nifti(where):
        return _nifti(file)
    found = header.read(file)
    if isinstance(found, Reject):
        return [found]
    if file.beside:
        found = _with_sidecar(found, file.beside)
    if reject := _gate(where, found):
        return [reject]
    if found.dataset is None:
        return [_typed(where, found, found.values, 0, 1)]
    frames = enhanced.frames(found)
    if isinstance(frames, Reject):
        return [dataclasses.replace(frames, where=where)]
    return [_typed(where, found, f, i, len(frames)) for i, f in enumerate(frames)]


def _with_sidecar(found: Header, beside: bytes) -> Header:
    """A header with its gaps filled by what a public set says; the patient is always the set's."""
    stated = json.loads(beside)
    missing = {k: v for k, v in stated.items() if not found.text(k) or k == "PatientID"}
    return dataclasses.replace(found, values=found.values | missing)


def _nifti(file: Head) -> list[Instance | Reject]:
    found = nifti.read(file)
    if isinstance(found, Reject):
        return [found]
    made, frames = found
    return [_typed(file.where, made, f, i, len(frames)) for i, f in enumerate(frames)]


def _gate(where: str, found: Header) -> Reject | None:
    """Whether this is an object of the kind we use at all."""
    sop_class, frames = found.text("SOPClassUID"), number(found.text("NumberOfFrames")) or 1
    if not sop_class:
        return Reject(Why.UNREADABLE, where, "no SOP class")
    if sop_class != MR_IMAGE_STORAGE and sop_class not in header.ENHANCED:
        return Reject(Why.NOT_MR, where, _standard(sop_class))
    if found.pixel_length == 0:
        return Reject(Why.TRUNCATED, where, "the file ends before the pixel data")
    if found.integer("SamplesPerPixel") > 1:
        return Reject(Why.NOT_MR, where, "a colour picture")
    if found.text("BurnedInAnnotation").upper() == "YES":
        return Reject(Why.BURNED_IN, where)
    if "MOSAIC" in found.text("ImageType").upper().split("\\"):
        return Reject(Why.MOSAIC, where)
    if frames > 1 and found.dataset is None:
        said = f"{frames:.0f} frames in one classic MR object, none of them placed"
        return Reject(Why.NO_GEOMETRY, where, said)
    if not all(found.text(k) for k in ("StudyInstanceUID", "SeriesInstanceUID", "PatientID")):
        return Reject(Why.NO_IDENTIFIER, where)
    return _sized(where, found, frames)


def _sized(where: str, found: Header, frames: float) -> Reject | None:
    """Whether the pixels can be what the header says."""
    rows, columns, allocated, stored, high = map(found.integer, attributes.INTEGERS[:5])
    if max(rows, columns) > header.LARGEST_MATRIX or frames > header.MOST_FRAMES:
        return Reject(Why.TOO_LARGE, where, f"{rows} x {columns}, {frames:.0f} frames")
    if not (rows and columns and allocated in (8, 16) and 0 < stored <= high + 1 <= allocated):
        said = f"{rows} x {columns}, {allocated} bits, {stored} stored, high bit {high}"
        return Reject(Why.BAD_PIXELS, where, said)
    if found.pixel_offset < 0:
        return None
    if found.pixel_length < frames * rows * columns * allocated // 8:
        return Reject(Why.BAD_PIXELS, where, "pixel data is shorter than frames x rows x columns")
    if found.pixel_offset + found.pixel_length > found.size:
        return Reject(Why.TRUNCATED, where, "the file ends inside the pixel data")
    return None


def _standard(uid: str) -> str:
    """A UID of the standard itself; any other might be somebody's."""
    known = uid.startswith("1.2.840.10008.") and len(uid) <= 32
    return uid if known and all(c in "0123456789." for c in uid) else ""


def _typed(where: str, found: Header, values: Values, frame: int, count: int) -> Instance | Reject:
    text = {k: v for k, v in values.items() if isinstance(v, str) and v}
    wanted = {"ImageOrientationPatient": 6, "ImagePositionPatient": 3, "PixelSpacing": 2}
    placed = {name: _FLOATS[text.get(name, "")] for name in wanted}
    if missing := [name for name, few in wanted.items() if len(placed[name]) != few]:
        return Reject(Why.NO_GEOMETRY, where, "without " + ", ".join(missing))
    orientation, (x, y, z), spacing = placed.values()
    if not _orthonormal(orientation):
        return Reject(Why.BAD_GEOMETRY, where, "orientation is not orthonormal")
    if not all(SPACING_RANGE_MM[0] <= s <= SPACING_RANGE_MM[1] for s in spacing):
        return Reject(Why.BAD_GEOMETRY, where, f"pixel spacing {spacing} mm")
    if max(abs(x), abs(y), abs(z)) > FARTHEST_MM:
        return Reject(Why.BAD_GEOMETRY, where, "position outside any scanner")
    rows, columns, allocated, stored, high, signed = map(found.integer, attributes.INTEGERS[:6])
    offset, length = found.pixel_offset, rows * columns * allocated // 8
    return Instance(
        where=where,
        frame=frame,
        text=text,
        orientation=orientation,
        position=(x, y, z),
        spacing_mm=(spacing[0], spacing[1]),
        rows=rows,
        columns=columns,
        bits=(allocated, stored, high, signed),
        transfer_syntax=found.transfer_syntax,
        pixel_offset=offset if offset < 0 else offset + frame * length,
        pixel_length=length if count > 1 else found.pixel_length,
    )


@functools.lru_cache(256)  # planes
def _orthonormal(orientation: tuple[float, ...]) -> bool:
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    lengths = abs(row @ row - 1) / 2, abs(column @ column - 1) / 2, abs(row @ column)
    return bool(max(lengths) <= ORIENTATION_TOLERANCE)


def _floats(text: str) -> tuple[float, ...]:
    """All the numbers of a DS string, or none where one of them is none."""
    parts = [value for part in text.split("\\") if (value := _number(part)) is not None]
    return tuple(parts) if len(parts) == text.count("\\") + 1 else ()


_FLOATS = Remembered(_floats)
