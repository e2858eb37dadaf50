"""Invented cine exams as DICOM files, for timing: made quickly, and read by every tool alike.

An exam has 12 series of 25 phases, 256 x 256 pixels of 12 bits: ten short-axis slices, each a
series of its own, a two-chamber and a four-chamber view.  Every second exam carries a private
block of 71 kB in each file, as some vendors' do.
"""

import pathlib
import tarfile

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage

SHORT_AXIS_SLICES, PHASES, MATRIX = 10, 25, 256
SERIES = SHORT_AXIS_SLICES + 2
IMAGES = SERIES * PHASES
SPACING_MM, SLICE_MM, RR_MS = 1.4, 8.0, 900.0
PRIVATE_BYTES = 71_000
NOISE = 25.0  # of 4095
UID_ROOT = "1.2.826.0.1.3680043.10.1338.7"  # for invented objects only

# The long axis of the heart from base to apex, and two directions across it.
LONG_AXIS = np.array([0.7, -0.5, -0.5099]) / np.linalg.norm([0.7, -0.5, -0.5099])
ACROSS = np.cross(LONG_AXIS, [0, 0, 1]) / np.linalg.norm(np.cross(LONG_AXIS, [0, 0, 1]))
UP = np.cross(LONG_AXIS, ACROSS)
HEART = np.array([-30.0, -20.0, 10.0])  # LPS, mm


def write(folder: pathlib.Path, exams: int, archives: pathlib.Path) -> None:
    """FOLDER/PATIENT/ACCESSION/SERIES/*.dcm, and one .tgz an exam in `archives`."""
    archives.mkdir(parents=True)
    for exam in range(exams):
        patient, accession = f"BENCH{exam:04d}", f"ACC{exam:04d}"
        home = folder / patient / accession
        rng = np.random.default_rng(exam)
        # Adding noise that moves about is faster than drawing it anew, and packs no better.
        noise = rng.normal(0, NOISE, (MATRIX * 3, MATRIX * 3))
        for series in range(SERIES):
            _write_series(home / f"series{series:02d}", exam, series, noise, rng)
        with tarfile.open(archives / f"{patient}-{accession}.tgz", "w:gz", compresslevel=1) as tar:
            tar.add(home, accession)


def _write_series(folder: pathlib.Path, exam: int, series: int, noise, rng) -> None:
    folder.mkdir(parents=True)
    template = _template(exam, series)
    corner = np.array([float(v) for v in template.ImagePositionPatient])
    row, column = np.split(np.array([float(v) for v in template.ImageOrientationPatient]), 2)
    for phase in range(PHASES):
        picture = _picture(corner, row, column, phase / PHASES, exam)
        y, x = rng.integers(0, 2 * MATRIX, 2)
        pixels = np.clip(picture + noise[y : y + MATRIX, x : x + MATRIX], 0, 4095)
        template.SOPInstanceUID = UID(f"{UID_ROOT}.{exam + 1}.{series + 1}.{phase + 1}")
        template.file_meta.MediaStorageSOPInstanceUID = template.SOPInstanceUID
        template.InstanceNumber = phase + 1
        template.TriggerTime = f"{phase * RR_MS / PHASES:.2f}"
        template.PixelData = pixels.astype("<u2").tobytes()
        template.save_as(folder / f"{phase + 1:04d}.dcm", enforce_file_format=True)


def _template(exam: int, series: int) -> Dataset:
    """What the files of a series share."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = MRImageStorage
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "M", "NORM"]
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = "20200102"
    ds.StudyTime = ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = "101112.000000"
    ds.AccessionNumber, ds.PatientID = f"ACC{exam:04d}", f"BENCH{exam:04d}"
    ds.Modality, ds.Manufacturer, ds.BodyPartExamined = "MR", "SIEMENS", "HEART"
    ds.InstitutionName = "Nowhere General"
    ds.PatientName, ds.PatientSex, ds.PatientBirthDate = "Nobody^Ever", "F", "19600101"
    ds.StudyInstanceUID = f"{UID_ROOT}.{exam + 1}"
    ds.SeriesInstanceUID = f"{UID_ROOT}.{exam + 1}.{series + 1}"
    ds.FrameOfReferenceUID = f"{UID_ROOT}.{exam + 1}.0"
    ds.StudyID, ds.SeriesNumber, ds.AcquisitionNumber = str(exam + 1), series + 1, 1
    long_axis = {SHORT_AXIS_SLICES: "2ch", SHORT_AXIS_SLICES + 1: "4ch"}.get(series)
    ds.SeriesDescription = ds.ProtocolName = f"cine_trufi_{long_axis or 'sax'}"
    ds.ScanningSequence, ds.SequenceVariant = "GR", ["SK", "SP", "OSP"]
    ds.ScanOptions, ds.MRAcquisitionType, ds.SequenceName = "CT", "2D", "*tfi2d1_15"
    ds.RepetitionTime, ds.EchoTime, ds.FlipAngle = "41.4", "1.3", "60"
    ds.MagneticFieldStrength, ds.NominalInterval = "1.5", str(int(RR_MS))
    ds.CardiacNumberOfImages = PHASES
    ds.SliceThickness, ds.PixelSpacing = "6", [str(SPACING_MM)] * 2
    _place(ds, series, long_axis)
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows = ds.Columns = MATRIX
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    if exam % 2:
        block = ds.private_block(0x0029, "BENCHMARK", create=True)
        block.add_new(0x10, "OB", np.random.default_rng(series).bytes(PRIVATE_BYTES))
    return ds


def _place(ds: Dataset, series: int, long_axis: str | None) -> None:
    along = {None: (ACROSS, UP), "2ch": (UP, LONG_AXIS), "4ch": (ACROSS, LONG_AXIS)}
    row, column = along[long_axis]
    depth = (series - (SHORT_AXIS_SLICES - 1) / 2) * SLICE_MM if not long_axis else 0.0
    half = (MATRIX - 1) / 2 * SPACING_MM
    corner = HEART + depth * LONG_AXIS - half * (row + column)
    ds.ImageOrientationPatient = [f"{v:.6f}" for v in (*row, *column)]
    ds.ImagePositionPatient = [f"{v:.4f}" for v in corner]
    ds.SliceLocation = f"{corner @ np.cross(row, column):.4f}"


def _picture(corner, row, column, phase: float, exam: int) -> np.ndarray:
    """A plane through a trunk with lungs and a ventricle that beats."""
    steps = np.arange(MATRIX) * SPACING_MM
    at = corner + steps[:, None, None] * column + steps[None, :, None] * row
    away = at - HEART
    depth = away @ LONG_AXIS
    heart = np.hypot(away @ ACROSS, away @ UP)
    squeeze = np.sin(np.pi * phase) ** 2
    taper = np.sqrt(np.clip(1 - (depth / 55) ** 2, 0, 1))
    cavity = (26 + exam % 7) * (1 - 0.3 * squeeze) * taper
    wall = (35 + exam % 7) * (1 - 0.05 * squeeze) * taper
    trunk = (at[..., 0] / 170) ** 2 + (at[..., 1] / 120) ** 2
    lungs = ((np.abs(at[..., 0]) - 85) / 55) ** 2 + (at[..., 1] / 85) ** 2
    texture = 60 * np.sin(at[..., 0] / 9) * np.cos(at[..., 1] / 7 + at[..., 2] / 11)
    picture = np.where(trunk < 1, np.where(lungs < 1, 120, 700), 20) + texture * (trunk < 1) + 60
    picture = np.where(heart < wall, 450, picture)
    return np.where(heart < cavity, 1600, picture)
