"""Sunnybrook Cardiac Data (Radau 2009, hdl:10380/3070), DICOM as distributed.

`SCD_IMAGES_01/SCD0000101/CINESAX_300/*.dcm` (other series lie beside it), `scd_patientdata.csv`
(PatientID, OriginalID, Gender, Age), and `SCD_ManualContours/SC-HF-I-01/contours-manual/IRCCI-expert/`
with `IM-0001-0048-icontour-manual.txt`: endocardial contours at end diastole and end systole
(ocontour: epicardial), of the image with that InstanceNumber.  A patient's folder may also hold the
DICOM files itself, and `link.csv` (patient_id, original_id) may stand for the patient table.

Tested on two real patients with contours (one of the layouts is that of their copy, the other the
published one).  The pictures that others made of this set have a reader of their own, `sunnybrook_png`.
"""

import os
import pathlib
import re
from collections import Counter, defaultdict

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError

from data_prep.public import files, measure
from data_prep.public.exam import CYCLE_POSITIONS, Mask, Parts, Problem, PublicExam

FINDINGS = {  # groups with each finding
    "infarct": ("HF-I",),
    "heart_failure": ("HF-I", "HF-NI"),
    "lv_hypertrophy": ("HYP",),
    "normal": ("N",),
}
ENDOCARDIUM, EPICARDIUM = Parts(lv=(1,)), Parts(epicardium=(1,))
PATIENT = re.compile(r"SCD\d{7}")
CONTOUR = re.compile(r"IM-\d+-(\d+)-([io])contour-manual\.txt")
ORIGINAL = re.compile(r"SC-(HF-I|HF-NI|HYP|N)-0*(\d+)")
PLACE = ("InstanceNumber", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
SAME_PLACE_MM = 0.1


def units(root: str) -> list[str]:
    """Folders named by a patient that hold DICOM files, directly or in series."""
    found = set()
    for folder, below, names in os.walk(root):
        if PATIENT.fullmatch(os.path.basename(os.path.abspath(folder))):
            if names or below:
                found.add(os.path.relpath(folder, root))
            below.clear()
    return sorted(found)


def owned(root: str, unit: str) -> list[str]:
    """A patient's images and contours."""
    return files.below(root, unit) + sorted(p for p, _, _ in _contours(root, _patient(root, unit)))


def exam(root: str, unit: str) -> PublicExam:
    """The series of one patient."""
    patient = _patient(root, unit)
    images = files.below(root, unit)
    folders = sorted({os.path.dirname(path) or "." for path in images})
    row = _row(root, patient)
    contours = _contours(root, patient)
    masks = _masks(root, images, contours)
    return PublicExam(
        patient,
        dicom=tuple(folders),
        attributes=measure.person(row.get("Gender", ""), row.get("Age", "")),
        folder_attributes={f: {"SeriesDescription": _description(f)} for f in folders},
        masks=masks,
        problems=() if masks else tuple((path, Problem.NO_IMAGE) for path, _, _ in contours),
    )


def labels(root: str, unit: str, found: PublicExam) -> dict[str, str]:
    """Group, and volumes, ejection fraction and mass from the contours."""
    return group_labels(_original(root, found.patient)) | _measured(root, unit, found)


def group_labels(original: str) -> dict[str, str]:
    """Findings by the group in a patient's original name, as SC-HF-I-01."""
    name = ORIGINAL.match(original)
    if not name:
        return {}
    findings = {finding: name[1] in groups for finding, groups in FINDINGS.items()}
    return {"diagnosis": name[1]} | measure.yes_no(findings)


def _patient(root: str, unit: str) -> str:
    return pathlib.Path(root, unit).absolute().name


def _description(folder: str) -> str:
    """Series folders are named by plane; a patient's own folder holds the short-axis cine."""
    name = os.path.basename(folder).upper()
    if "CINESAX" in name or PATIENT.fullmatch(name):
        return "cine SAX"
    return "cine" if "CINE" in name else ""


def _row(root: str, patient: str) -> dict[str, str]:
    for key in ("PatientID", "patient_id"):
        if row := files.table(root, key).get(patient):
            return row
    return {}


def _original(root: str, patient: str) -> str:
    row = _row(root, patient)
    return row.get("OriginalID") or row.get("original_id") or ""


def _contours(root: str, patient: str) -> list[tuple[str, int, str]]:
    """(path, instance number, i or o) of the contours of one patient."""
    wanted = ORIGINAL.match(_original(root, patient))
    if not wanted:
        return []
    found = []
    for folder, below, names in os.walk(root):
        below[:] = [b for b in below if not PATIENT.fullmatch(b)]
        owners = [
            m.groups() for part in pathlib.Path(folder).parts if (m := ORIGINAL.fullmatch(part))
        ]
        if owners[-1:] == [wanted.groups()]:
            for name in names:
                if match := CONTOUR.fullmatch(name):
                    path = os.path.relpath(os.path.join(folder, name), root)
                    found.append((path, int(match[1]), match[2]))
    return sorted(found)


def _masks(root: str, images: list[str], contours: list[tuple[str, int, str]]) -> tuple[Mask, ...]:
    """Contours with their image and moment; none where no series has all of the images."""
    by_folder: dict[str, list[str]] = defaultdict(list)
    for path in images if contours else ():
        if "CINESAX" in path.upper() or PATIENT.fullmatch(os.path.basename(os.path.dirname(path))):
            by_folder[os.path.dirname(path)].append(path)
    for _, members in sorted(by_folder.items()):
        placed = _placed(root, members)
        if all(number in placed for _, number, _ in contours):
            moments = _moments(root, placed, contours)
            return tuple(
                Mask(
                    path,
                    ENDOCARDIUM if kind == "i" else EPICARDIUM,
                    placed[number][0],
                    moments.get(placed[number][2], ""),
                )
                for path, number, kind in contours
            )
    return ()


def _placed(root: str, members: list[str]) -> dict[int, tuple[str, float, int, float]]:
    """By instance number: path, position along the normal (mm), phase, area of a pixel (mm2)."""
    found = []
    for path in members:
        try:
            header = pydicom.dcmread(pathlib.Path(root, path), True, True, False, list(PLACE))
            axes = np.array(header.ImageOrientationPatient, float)
            normal = np.cross(axes[:3], axes[3:])
            at = float(normal @ np.array(header.ImagePositionPatient, float))
            area = float(np.prod(np.array(header.PixelSpacing, float)))
            found.append((int(header.InstanceNumber), path, at, area))
        except (OSError, InvalidDicomError, AttributeError, TypeError, ValueError):
            continue  # counted where the image is read
    phases: Counter = Counter()
    placed = {}
    for number, path, at, area in sorted(found):
        slot = round(at / SAME_PLACE_MM)
        placed[number] = (path, at, phases[slot], area)
        phases[slot] += 1
    return placed


def _moments(root: str, placed: dict, contours: list[tuple[str, int, str]]) -> dict[int, str]:
    """Find the phases of end diastole and end systole: the larger cavity is end-diastolic."""
    areas: dict[int, list[float]] = defaultdict(list)
    for path, number, kind in contours:
        if kind == "i":
            areas[placed[number][2]].append(polygon_area(pathlib.Path(root, path)))
    usual = sorted(areas, key=lambda phase: -len(areas[phase]))[:2]
    ordered = sorted(usual, key=lambda phase: -sum(areas[phase]))
    return dict(zip(ordered, CYCLE_POSITIONS, strict=False))


def _measured(root: str, unit: str, found: PublicExam) -> dict[str, str]:
    """Sum of areas times the distance of slices."""
    if not found.masks:
        return {}
    folder = os.path.dirname(found.masks[0].image)
    members = [p for p in files.below(root, unit) if os.path.dirname(p) == folder]
    by_path = {path: (at, area) for path, at, _, area in _placed(root, members).values()}
    places = np.unique(np.round([at for at, _ in by_path.values()], 1))
    step = float(np.median(np.diff(places))) if len(places) > 1 else 0.0
    inner: dict[str, dict[float, float]] = defaultdict(dict)
    outer: dict[float, float] = {}
    for mask in found.masks:
        at, pixel = by_path[mask.image]
        ml = polygon_area(pathlib.Path(root, mask.path)) * pixel * step / 1000
        if mask.parts is ENDOCARDIUM:
            inner[mask.moment][at] = ml
        elif mask.moment == CYCLE_POSITIONS[0]:
            outer[at] = ml
    ed, es = ({"lv": sum(inner[moment].values())} for moment in CYCLE_POSITIONS)
    cavity = inner[CYCLE_POSITIONS[0]]
    ed["myocardium"] = sum(ml - cavity[at] for at, ml in outer.items() if at in cavity)
    return measure.function_labels(ed, es)


def polygon_area(path: pathlib.Path) -> float:
    """Area inside a contour in pixels, by the shoelace formula; 0 for fewer than three vertices."""
    x, y = np.loadtxt(path, ndmin=2, usecols=(0, 1)).T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)
