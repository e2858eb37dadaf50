"""Labels that follow from segmentations and from a set's tables."""

import math
import pathlib

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError

from data_prep.public.exam import CYCLE_POSITIONS, Mask, PublicExam

MYOCARDIUM_G_PER_ML = 1.05
# Limits of the findings that follow from a measurement (EACVI: Petersen 2019, EHJCI 20:1321).
LEAST_LV_EF, LEAST_RV_EF = 50, 45

UNREADABLE = (OSError, ValueError, ImageFileError)  # what a broken NIfTI file raises

Milliliters = dict[str, float]  # by name of a part


def ventricles(root: str, exam: PublicExam, views: str = "") -> dict[str, str]:
    """Volumes, ejection fractions and mass from the masks of both moments; {} where one is unusable.

    Args:
        root: folder of the set.
        exam: with one mask for each moment.
        views: only masks whose path contains this text count (a set may outline long axes too).
    """
    try:
        by_moment = {m.moment: milliliters(root, m) for m in exam.masks if views in m.path}
        ed, es = (by_moment[moment] for moment in CYCLE_POSITIONS)
    except (*UNREADABLE, LookupError):
        return {}
    return function_labels(ed, es)


def function_labels(ed: Milliliters, es: Milliliters) -> dict[str, str]:
    """Label columns from volumes at end diastole and end systole; {} where they contradict."""
    sides = [side for side in ("lv", "rv") if side in ed and side in es]
    if not sides or not all(0 < es[side] <= ed[side] for side in sides):
        return {}  # a moment without a segmentation, or the two exchanged
    values, findings = {}, {}
    for side, least in (("lv", LEAST_LV_EF), ("rv", LEAST_RV_EF)):
        if side in sides:
            ef = 100 * (1 - es[side] / ed[side])
            values[f"{side}_edv_ml"] = ed[side]
            values[f"{side}_esv_ml"] = es[side]
            values[f"{side}_ef_percent"] = ef
            findings[f"{side}_dysfunction"] = ef < least
    if ed.get("myocardium"):
        values["lv_mass_g"] = ed["myocardium"] * MYOCARDIUM_G_PER_ML
    return {k: f"{v:.1f}" for k, v in values.items()} | yes_no(findings)


def milliliters(root: str, mask: Mask) -> Milliliters:
    """Volume of every part that a NIfTI mask outlines, by the voxel sizes of its header."""
    image = nibabel.Nifti1Image.from_filename(pathlib.Path(root, mask.path))
    voxel = float(np.prod(image.header.get_zooms()[:3])) / 1000
    values = np.asanyarray(image.dataobj)
    values = values if mask.volume is None else values[..., mask.volume]
    return {part: voxel * count for part, count in pixels(values, mask).items()}


def pixels(values: np.ndarray, mask: Mask) -> dict[str, int]:
    """Pixels of every part that a mask outlines."""
    named = {k: v for k, v in vars(mask.parts).items() if v}
    return {part: int(np.isin(values, numbers).sum()) for part, numbers in named.items()}


def one_hot(group: str, findings: dict[str, str]) -> dict[str, str]:
    """A disease as `diagnosis` and as findings of 0 and 1; {} for an unknown one.

    Args:
        group: the set's name of the disease.
        findings: the project's name of each of the set's diseases.
    """
    if not group:
        return {}
    return {"diagnosis": group} | yes_no({f: group == g for g, f in findings.items()})


def yes_no(findings: dict[str, bool]) -> dict[str, str]:
    """Findings as label cells."""
    return {finding: str(int(value)) for finding, value in findings.items()}


def number(text: str) -> float | None:
    """A finite number of a table; None where the cell is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def numbers(columns: dict[str, str]) -> dict[str, str]:
    """Cells that are numbers, by column."""
    return {c: f"{v:g}" for c, text in columns.items() if (v := number(text)) is not None}


def person(sex: str = "", age: str = "") -> dict[str, str]:
    """PatientSex and PatientAge as DICOM writes them, from a table's cells."""
    found = {}
    if sex.strip()[:1].upper() in ("F", "M"):
        found["PatientSex"] = sex.strip()[0].upper()
    years = number(age)
    if years is not None and 0 < years < 130:
        found["PatientAge"] = f"{int(years):03d}Y"
    return found
