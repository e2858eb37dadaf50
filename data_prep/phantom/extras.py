"""Objects of an exam that are no placed images: a page of results, and frames without a place."""

from typing import Any

import numpy as np

MR_IMAGE, SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.7"
PAGE_ROWS, PAGE_COLUMNS = 64, 96
UNPLACED_FRAMES, UNPLACED_MATRIX = 6, 32


def results(study) -> tuple[dict[str, Any], bytes]:
    """Secondary capture in colour: the curve of left-ventricular volume; (elements, pixels)."""
    at = np.arange(PAGE_COLUMNS) / PAGE_COLUMNS
    volume = np.array([study.heart.lv.volume_ml(float(f)) for f in study.heart.contraction(at)])
    height = (volume / volume.max() * (PAGE_ROWS - 4)).astype(int)
    page = np.zeros((PAGE_ROWS, PAGE_COLUMNS, 3), np.uint8)
    page[PAGE_ROWS - 1 - height, np.arange(PAGE_COLUMNS)] = (255, 200, 0)
    values = _pixels(PAGE_ROWS, PAGE_COLUMNS, 8) | {
        "SOPClassUID": SECONDARY_CAPTURE,
        "ImageType": ["DERIVED", "SECONDARY", "OTHER", "RESULTS"],
        "ConversionType": "WSD",
        "SamplesPerPixel": 3,
        "PhotometricInterpretation": "RGB",
        "PlanarConfiguration": 0,
    }
    return values, page.tobytes()


def unplaced(study) -> tuple[dict[str, Any], bytes]:
    """A classic MR object of several frames, which has room for one position; (elements, pixels)."""
    steps = np.arange(UNPLACED_FRAMES * UNPLACED_MATRIX**2, dtype="<u2") % 900
    values = _pixels(UNPLACED_MATRIX, UNPLACED_MATRIX, 16) | {
        "SOPClassUID": MR_IMAGE,
        "ImageType": ["ORIGINAL", "PRIMARY", "M"],
        "NumberOfFrames": str(UNPLACED_FRAMES),
        "ImagePositionPatient": [f"{v:.3f}" for v in study.origin],
        "ImageOrientationPatient": ["1", "0", "0", "0", "1", "0"],
        "PixelSpacing": ["6", "6"],
        "SliceThickness": "8",
    }
    return values, steps.tobytes()


def _pixels(rows: int, columns: int, bits: int) -> dict[str, Any]:
    return {
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": rows,
        "Columns": columns,
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": 0,
    }
