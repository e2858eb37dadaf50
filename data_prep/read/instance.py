"""One DICOM instance as the preparation sees it: typed values, or a reject with the reason."""

import dataclasses
import io
import math

import numpy as np
import pydicom
from pydicom.datadict import tag_for_keyword
from pydicom.errors import InvalidDicomError
from pydicom.multival import MultiValue

from data_prep.read.reject import Reject, Why
from data_prep.read.walker import Walk, walk

MR_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.4"
# Tolerance of unit length and of orthogonality for ImageOrientationPatient.
ORIENTATION_TOLERANCE = 1e-3
SPACING_RANGE_MM = (0.3, 10.0)
LARGEST_MATRIX = 4096

# Read as text; numbers among them are parsed on demand.  Nothing outside this list is looked at.
KEYWORDS = [
    "SpecificCharacterSet",
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "AccessionNumber",
    "StudyDate",
    "Manufacturer",
    "MagneticFieldStrength",
    "SeriesDescription",
    "ProtocolName",
    "SequenceName",
    "ScanningSequence",
    "SequenceVariant",
    "ImageType",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "PixelSpacing",
    "SliceThickness",
    "TriggerTime",
    "NominalInterval",
    "CardiacNumberOfImages",
    "HeartRate",
    "InversionTime",
    "EchoTime",
    "RepetitionTime",
    "FlipAngle",
    "ScanOptions",
    "PulseSequenceName",
    "MRAcquisitionType",
    "EchoNumbers",
    "ContrastBolusAgent",
    "RescaleType",
    "PixelPaddingValue",
    "InstanceNumber",
    "SeriesNumber",
    "AcquisitionDate",
    "AcquisitionTime",
    "ContentTime",
    "TemporalPositionIdentifier",
    "NumberOfFrames",
    "PhotometricInterpretation",
    "RescaleSlope",
    "RescaleIntercept",
    "BurnedInAnnotation",
    "ReferringPhysicianName",
    "PerformingPhysicianName",
    "OperatorsName",
    "InstitutionName",
    "NameOfPhysiciansReadingStudy",
    "RequestingPhysician",
    "OtherPatientIDs",
    "PatientTelephoneNumbers",
]
INTEGERS = [
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "SamplesPerPixel",
]
TAGS = {tag_for_keyword(keyword): keyword for keyword in (*KEYWORDS, *INTEGERS)}
WANTED = frozenset(tag for tag in TAGS if tag is not None)
PERSON_KEYWORDS = tuple(
    k for k in KEYWORDS if "Physician" in k or k in ("PatientName", "OperatorsName")
)


@dataclasses.dataclass(frozen=True)
class Instance:
    """One frame of MR, placed in space.  `text` holds header strings: local, never shipped."""

    where: str
    text: dict[str, str]
    orientation: tuple[float, ...]
    position: tuple[float, float, float]
    spacing_mm: tuple[float, float]
    rows: int
    columns: int
    bits: tuple[int, int, int, int]  # allocated, stored, high bit, representation
    transfer_syntax: str
    pixel_offset: int  # -1: decode through pydicom
    pixel_length: int

    def number(self, keyword: str) -> float | None:
        """A numeric attribute, None where it is absent, empty or not a finite number."""
        return number(self.text.get(keyword, ""))


def number(text: str) -> float | None:
    """The first value of a DS or IS string; None where it is no finite number."""
    try:
        value = float(text.split("\\")[0].replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def read(where: str, head: bytes, size: int) -> Instance | Reject:
    """Reads one file from its first bytes (`head`, up to the pixels at least) and its size."""
    if size == 0:
        return Reject(Why.EMPTY_FILE, where)
    found = walk(head, WANTED)
    if found is not None:
        return _typed(
            where,
            _texts(found),
            found.transfer_syntax,
            found.pixel_offset,
            found.pixel_length,
            size,
        )
    return _through_pydicom(where, head, size)


def _texts(found: Walk) -> dict[str, str | int]:
    charset = found.values.get(0x00080005, b"").decode("ascii", "replace")
    codec = "utf-8" if "192" in charset else "latin-1"
    values: dict[str, str | int] = {}
    for tag, raw in found.values.items():
        keyword = TAGS[tag]
        if keyword in INTEGERS:
            values[keyword] = int.from_bytes(raw[:2], "little")
        else:
            values[keyword] = raw.decode(codec, "replace").strip("\0 ")
    return values


def _through_pydicom(where: str, head: bytes, size: int) -> Instance | Reject:
    if len(head) < 132 or head[128:132] != b"DICM":
        return Reject(Why.NOT_DICOM, where)
    try:
        data = pydicom.dcmread(
            io.BytesIO(head), stop_before_pixels=True, specific_tags=list(WANTED)
        )
        values: dict[str, str | int] = {}
        for tag in WANTED:
            if tag in data:
                value = data[tag].value
                many = isinstance(value, MultiValue | list)
                values[TAGS[tag]] = (
                    "\\".join(map(str, value)) if many else str("" if value is None else value)
                )
        for keyword in INTEGERS:
            values[keyword] = int(number(str(values.get(keyword, ""))) or 0)
        syntax = str(data.file_meta.get("TransferSyntaxUID", ""))
    except (InvalidDicomError, EOFError):
        return Reject(Why.TRUNCATED, where)
    except Exception as error:  # pydicom raises what its parts raise; the file is counted, not lost
        return Reject(Why.UNREADABLE, where, type(error).__name__)
    return _typed(where, values, syntax, -1, -1, size)


def _typed(
    where, values: dict, syntax: str, offset: int, length: int, size: int
) -> Instance | Reject:
    text = {k: v for k, v in values.items() if isinstance(v, str) and v}
    if reject := _gate(where, text, values):
        return reject
    wanted = {"ImageOrientationPatient": 6, "ImagePositionPatient": 3, "PixelSpacing": 2}
    placed = {name: _floats(text.get(name, ""), count) for name, count in wanted.items()}
    if missing := [name for name, value in placed.items() if not value]:
        return Reject(Why.NO_GEOMETRY, where, "without " + ", ".join(missing))
    orientation, (x, y, z), spacing = placed.values()
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    lengths = abs(np.linalg.norm(row) - 1), abs(np.linalg.norm(column) - 1), abs(row @ column)
    if max(lengths) > ORIENTATION_TOLERANCE:
        return Reject(Why.BAD_GEOMETRY, where, "orientation is not orthonormal")
    if not all(SPACING_RANGE_MM[0] <= s <= SPACING_RANGE_MM[1] for s in spacing):
        return Reject(Why.BAD_GEOMETRY, where, f"pixel spacing {spacing} mm")
    rows, columns = values.get("Rows", 0), values.get("Columns", 0)
    allocated, stored = values.get("BitsAllocated", 0), values.get("BitsStored", 0)
    bits = (allocated, stored, values.get("HighBit", 0), values.get("PixelRepresentation", 0))
    sized = 0 < rows <= LARGEST_MATRIX and 0 < columns <= LARGEST_MATRIX
    if not (sized and allocated in (8, 16) and 0 < stored <= allocated):
        return Reject(Why.BAD_PIXELS, where, f"{rows} x {columns}, {allocated} bits")
    if offset >= 0:
        if length < rows * columns * allocated // 8:
            return Reject(Why.BAD_PIXELS, where, "pixel data is shorter than rows x columns")
        if offset + length > size:
            return Reject(Why.TRUNCATED, where, "the file ends inside the pixel data")
    return Instance(
        where=where,
        text=text,
        orientation=orientation,
        position=(x, y, z),
        spacing_mm=(spacing[0], spacing[1]),
        rows=rows,
        columns=columns,
        bits=bits,
        transfer_syntax=syntax,
        pixel_offset=offset,
        pixel_length=length,
    )


def _gate(where: str, text: dict[str, str], values: dict) -> Reject | None:
    """Whether this is an object of the kind we use at all."""
    sop_class = text.get("SOPClassUID", "")
    if sop_class != MR_IMAGE_STORAGE or values.get("SamplesPerPixel", 1) != 1:
        return Reject(Why.NOT_MR, where, sop_class)
    if text.get("BurnedInAnnotation", "").upper() == "YES":
        return Reject(Why.BURNED_IN, where)
    frames = number(text.get("NumberOfFrames", "1")) or 1
    if frames > 1:
        return Reject(
            Why.NO_GEOMETRY,
            where,
            f"{frames:.0f} frames in one classic MR object, none of them placed",
        )
    if not all(text.get(k) for k in ("StudyInstanceUID", "SeriesInstanceUID", "PatientID")):
        return Reject(Why.NO_IDENTIFIER, where)
    return None


def _floats(text: str, count: int) -> tuple[float, ...]:
    """`count` numbers, or none at all."""
    parts = [value for part in text.split("\\") if (value := number(part)) is not None]
    return tuple(parts) if len(parts) == count == text.count("\\") + 1 else ()
