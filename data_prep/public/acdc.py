"""ACDC, the Automated Cardiac Diagnosis Challenge (Bernard 2018, doi:10.1109/TMI.2018.2837502).

`training/patient001/`: `Info.cfg` (ED and ES, frame numbers from 1; NbFrame, Group, Height in cm,
Weight in kg), `patient001_4d.nii.gz`, and the volumes at both moments, `patient001_frame01.nii.gz`,
with `_gt` their segmentations (1 right ventricle, 2 myocardium, 3 left ventricle).  100 exams to train
on and 50 to test; one scan of each patient, short-axis cines alone, of Siemens scanners.  The affine
is 1 mm along the voxel axes: orientation is unknown, and voxel sizes are those of the header.

Copies of the set come without the 4-D files (59 of the 60 exams that this reader was tested on): the
two volumes are then a cine of two phases, at their true places in the cycle.
"""

import pathlib
import re

from data_prep.public.exam import Parts, PublicExam, measured, number, one_hot, split_of, walk

PARTS = Parts(lv=3, myocardium=2, rv=1)
FINDINGS = {"NOR": "normal", "MINF": "infarct", "DCM": "dcm", "HCM": "hcm", "RV": "abnormal_rv"}


def folders(root: str) -> list[str]:
    """Folders with an Info.cfg."""
    return walk(root, re.compile(r"Info\.cfg", re.IGNORECASE))


def exam(root: str, folder: str) -> PublicExam:
    """One patient's folder."""
    where = pathlib.Path(root, folder)
    patient = where.name
    names = {file.name for file in where.iterdir()}
    info = _info(next(f for f in where.iterdir() if f.name.lower() == "info.cfg"))
    moments = [_moment(info, key) for key in ("ED", "ES")]
    volumes = [_volume(names, f"{patient}_frame{m:02d}") for m in moments]
    masks = [_volume(names, f"{patient}_frame{m:02d}_gt") for m in moments]
    group = info.get("Group", "").upper()
    labels = one_hot(group if group in FINDINGS else "", FINDINGS)
    if all(masks):
        labels |= measured(where / masks[0], where / masks[1], PARTS)
    for column, key in (("height_cm", "Height"), ("weight_kg", "Weight")):
        if (value := number(info.get(key, ""))) and value > 0:
            labels[column] = f"{value:g}"
    frames = _moment(info, "NbFrame")
    known = all(0 < m <= frames for m in moments)
    cine = _volume(names, f"{patient}_4d")
    return PublicExam(
        patient=patient,
        split=split_of(root, folder),
        cine=f"{folder}/{cine}" if cine else "",
        moments=tuple(f"{folder}/{v}" for v in volumes if v),
        phases=tuple((m - 1) / frames for m in moments) if known else (),
        said={"SeriesDescription": "cine SAX", "Manufacturer": "SIEMENS"},
        labels=labels,
    )


def _info(path: pathlib.Path) -> dict[str, str]:
    lines = (line.partition(":") for line in path.read_text(errors="replace").splitlines())
    return {key.strip(): value.strip() for key, _, value in lines}


def _moment(info: dict[str, str], key: str) -> int:
    return int(info[key]) if info.get(key, "").isdigit() else -1


def _volume(names: set[str], stem: str) -> str:
    return next((stem + end for end in (".nii.gz", ".nii") if stem + end in names), "")
