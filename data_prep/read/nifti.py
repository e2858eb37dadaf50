"""NIfTI volumes of public data sets, as frames: geometry from the affine, the rest from a sidecar.

A NIfTI file says nothing of patient, study or sequence.  The folder stands for the patient and
the study, the file for the series and its name for the description, unless a JSON sidecar of
BIDS terms (same name, `.json`) says more.  Coordinates turn from RAS+ to DICOM's LPS+.
"""

import json
import logging
import pathlib
import re
import zlib

import nibabel
import numpy as np

from data_prep.read.head import Head
from data_prep.read.header import LARGEST_INFLATED, LARGEST_MATRIX, MOST_FRAMES, Header, Values
from data_prep.read.reject import Reject, Why

logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)  # it quotes bytes of the file

SYNTAX = "nifti"
SUFFIXES = (".nii", ".nii.gz")
MASK = re.compile(
    r"(?:^|[_-])(?:gt|segs?|segmentations?|masks?|labels?|contours?)(?:[_-]|$)", re.IGNORECASE
)
NOMINAL_SPACING = "NominalSpacing"  # YES in a sidecar: the user's guess, not the scanner's
# Sidecar attributes with DICOM's names that are taken over; times are seconds in BIDS.
TEXTS = (
    "PatientID",
    "StudyInstanceUID",
    "AccessionNumber",
    "PatientSex",
    "PatientAge",
    "Manufacturer",
    "MagneticFieldStrength",
    "SeriesDescription",
    "ProtocolName",
    "SequenceName",
    "ScanningSequence",
    "SequenceVariant",
    "ImageType",
    "FlipAngle",
    NOMINAL_SPACING,
)
SECONDS = ("EchoTime", "RepetitionTime", "InversionTime")
# In a sidecar, one value for each volume over time: its place in the cardiac cycle.
CYCLE_PERCENT, CYCLE_POSITION = "NominalPercentageOfCardiacPhase", "CardiacCyclePosition"
TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
SAME_SPACING = 0.01  # relative difference between affine and header below which they agree


def is_nifti(where: str) -> bool:
    """Whether the name is one of a NIfTI file."""
    return where.lower().endswith(SUFFIXES)


def read(file: Head) -> tuple[Header, list[Values]] | Reject:
    """The header and the values of every frame, slice by slice and phase by phase."""
    where = file.where
    if file.size == 0:
        return Reject(Why.EMPTY_FILE, where)
    stem = re.sub(r"\.nii(\.gz)?$", "", pathlib.PurePosixPath(where).name, flags=re.IGNORECASE)
    if MASK.search(stem):
        return Reject(Why.NOT_MR, where, "a mask by its name")
    try:
        image = _open(file.all())
        columns, rows, slices, phases = _shape(image)
        if max(columns, rows) > LARGEST_MATRIX or slices * phases > MOST_FRAMES:
            return Reject(Why.TOO_LARGE, where, f"{slices * phases} frames")
        affine = TO_LPS @ spaced_affine(image)
        sidecar = json.loads(file.beside) if file.beside.strip() else {}
        shared = _shared(where, stem) | _sidecar(sidecar) | _sizes(rows, columns)
        moments = _moments(sidecar, phases)
        values = [
            shared | _frame(where, affine, k, t, k * phases + t, _step_ms(image)) | moments[t]
            for k in range(slices)
            for t in range(phases)
        ]
    except Exception as error:  # nibabel raises what its parts raise; the file is counted
        return Reject(Why.UNREADABLE, where, type(error).__name__)
    return Header(shared, SYNTAX, -1, -1, file.size), values


def spaced_affine(image) -> np.ndarray:
    """The voxel-to-world matrix (RAS+) with the header's voxel sizes.

    Some converters write an affine of 1 mm steps beside true sizes in `pixdim` (ACDC's, all 60 exams
    that were measured); ITK too takes sizes from `pixdim`.  Sizes of 1 mm throughout say nothing.
    """
    affine = np.array(image.affine, float)
    steps = np.linalg.norm(affine[:3, :3], axis=0)
    sizes = np.array((*image.header.get_zooms()[:3], 1.0)[:3], float)
    stated = bool((sizes > 0).all() and (sizes != 1).any() and (steps > 0).all())
    if stated and (np.abs(steps / sizes - 1) > SAME_SPACING).any():
        affine[:3, :3] *= sizes / steps
    return affine


def is_unplaced(orientation: tuple[float, ...]) -> bool:
    """Whether the axes are those of the voxels: converters often lose how the heart lay."""
    return all(min(abs(v), abs(abs(v) - 1)) < 1e-6 for v in orientation)


def decode(data: bytes, indices: list[int]) -> list[np.ndarray]:
    """Frames of a volume as (rows, columns), scaled as its header says."""
    image = _open(data)
    columns, rows, slices, phases = _shape(image)
    volume = np.asanyarray(image.dataobj).reshape(columns, rows, slices, phases)
    return [volume[:, :, i // phases, i % phases].T for i in indices]


def _open(data: bytes) -> nibabel.Nifti1Image:
    if data[:2] == b"\x1f\x8b":
        unpacker = zlib.decompressobj(31)
        data = unpacker.decompress(data, LARGEST_INFLATED)
        if unpacker.unconsumed_tail:
            raise ValueError("inflates without end")
    kind = nibabel.Nifti2Image if data[:4] in (b"\x1c\x02\0\0", b"\0\0\x02\x1c") else None
    return (kind or nibabel.Nifti1Image).from_bytes(data)


def _shape(image) -> tuple[int, int, int, int]:
    shape = image.shape
    if not 2 <= len(shape) <= 4 or not all(shape):
        raise ValueError("not a picture, a volume or volumes over time")
    columns, rows, slices, phases = (*shape, 1, 1)[:4]
    return columns, rows, slices, phases


def _step_ms(image) -> float | None:
    """Time between phases where the header gives one that a cine can have."""
    if len(image.shape) < 4:
        return None
    scale = {"sec": 1000.0, "msec": 1.0, "usec": 0.001}.get(image.header.get_xyzt_units()[1])
    step = float(image.header.get_zooms()[3]) * scale if scale else 0.0
    return step if 5.0 <= step <= 150.0 else None


def _shared(where: str, stem: str) -> Values:
    # A name in no encoding is no text: it is escaped.
    where = where.encode("utf-8", "backslashreplace").decode()
    folder = str(pathlib.PurePosixPath(where).parent)
    return {
        "PatientID": pathlib.PurePosixPath(folder).name or stem,
        "StudyInstanceUID": f"nifti:{folder}",
        "SeriesInstanceUID": f"nifti:{where}",
        "SeriesDescription": stem,
        "ImageType": "ORIGINAL\\PRIMARY\\M",
    }


def _moments(sidecar: dict, phases: int) -> list[Values]:
    """The place of every volume in the cardiac cycle, where the sidecar gives it."""
    moments: list[Values] = [{} for _ in range(phases)]
    for key in (CYCLE_PERCENT, CYCLE_POSITION):
        values = sidecar.get(key)
        if isinstance(values, list) and len(values) == phases:
            for moment, value in zip(moments, values, strict=True):
                moment[key] = str(value)
    return moments


def _sidecar(sidecar: dict) -> Values:
    values: Values = {}
    for key in TEXTS:
        if (value := sidecar.get(key)) not in (None, "", []):
            values[key] = "\\".join(map(str, value)) if isinstance(value, list) else str(value)
    for key in SECONDS:
        if isinstance(sidecar.get(key), int | float):
            values[key] = f"{sidecar[key] * 1000:g}"
    return values


def _sizes(rows: int, columns: int) -> Values:
    return {
        "Rows": rows,
        "Columns": columns,
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 0,
        "SamplesPerPixel": 1,
    }


def _frame(where, affine: np.ndarray, k: int, t: int, index: int, step_ms: float | None) -> Values:
    along_row, along_column = affine[:3, 0], affine[:3, 1]
    width, height = np.linalg.norm(along_row), np.linalg.norm(along_column)
    position = affine @ [0, 0, k, 1]
    directions = (*(along_row / width), *(along_column / height))
    values: Values = {
        "SOPInstanceUID": f"nifti:{where}#{index}",
        "ImageOrientationPatient": "\\".join(f"{v:.9f}" for v in directions),
        "ImagePositionPatient": "\\".join(f"{v:.6f}" for v in position[:3]),
        "PixelSpacing": f"{height:.6f}\\{width:.6f}",
        "TemporalPositionIdentifier": str(t),
        "InstanceNumber": str(index + 1),
    }
    return values if step_ms is None else values | {"TriggerTime": f"{t * step_ms:.3f}"}
