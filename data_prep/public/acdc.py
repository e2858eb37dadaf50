"""ACDC, the Automated Cardiac Diagnosis Challenge (Bernard 2018, doi:10.1109/TMI.2018.2837502).

`training/patient001/`: `Info.cfg` (ED and ES, frame numbers from 1; NbFrame, Group, Height in cm,
Weight in kg), `patient001_4d.nii.gz`, and the volumes at both moments, `patient001_frame01.nii.gz`,
with `_gt` their segmentations (1 right ventricle, 2 myocardium, 3 left ventricle).  100 exams to train
on and 50 to test; one scan of each patient, short-axis cines alone, of Siemens scanners.  The affine
is 1 mm along the voxel axes: orientation is unknown, and voxel sizes are those of the header.

Copies of the set come without the 4-D files: the two volumes are then a cine of two phases, at their
true places in the cycle.  Tested on 60 real exams, one of them with its 4-D file.
"""

import pathlib
import re

from data_prep.public import files, measure
from data_prep.public.exam import CYCLE_POSITIONS, Mask, Parts, Problem, PublicExam, Volume
from data_prep.public.files import NIFTI

PARTS = Parts(lv=(3,), myocardium=(2,), rv=(1,))
FINDINGS = {"NOR": "normal", "MINF": "infarct", "DCM": "dcm", "HCM": "hcm", "RV": "abnormal_rv"}
ATTRIBUTES = {"SeriesDescription": "cine SAX", "Manufacturer": "SIEMENS"}
INFO = re.compile(r"Info\.cfg", re.IGNORECASE)


def units(root: str) -> list[str]:
    """Folders with an Info.cfg."""
    return files.folders_with(root, INFO)


def owned(root: str, unit: str) -> list[str]:
    """Files of one exam."""
    return files.below(root, unit)


def exam(root: str, unit: str) -> PublicExam:
    """The cine of one patient, or its two moments."""
    names, info = owned(root, unit), _info(root, unit)
    patient = pathlib.Path(root, unit).absolute().name
    frames = [_integer(info, key) for key in ("ED", "ES")]
    stems = [re.escape(f"{patient}_frame{frame:02d}") for frame in frames]
    found = [files.find(names, stem + NIFTI) for stem in stems]
    cine = files.find(names, re.escape(f"{patient}_4d") + NIFTI)
    masks = [
        Mask(path, PARTS, image, moment)
        for stem, image, moment in zip(stems, found, CYCLE_POSITIONS, strict=True)
        if (path := files.find(names, f"{stem}_gt{NIFTI}"))
    ]
    volumes, problems = (), ()
    if cine:
        volumes = (Volume((cine,), ATTRIBUTES),)
    elif all(found):
        count = _integer(info, "NbFrame")
        known = all(0 < frame <= count for frame in frames)
        phases = tuple((frame - 1) / count for frame in frames) if known else ()
        volumes = (Volume(tuple(found), ATTRIBUTES, "ed_and_es", phases, moments=2),)
    else:
        problems = ((f"{unit}/{patient}_4d.nii.gz", Problem.MISSING),)
    return PublicExam(
        patient=patient,
        split=files.split_of(root, unit),
        volumes=volumes,
        duplicates=tuple(f for f in found if f and cine),
        masks=tuple(masks),
        problems=problems,
    )


def labels(root: str, unit: str, found: PublicExam) -> dict[str, str]:
    """Disease, what the masks measure, height and weight."""
    info = _info(root, unit)
    group = info.get("Group", "").upper()
    size = {"height_cm": info.get("Height", ""), "weight_kg": info.get("Weight", "")}
    return (
        measure.one_hot(group if group in FINDINGS else "", FINDINGS)
        | measure.ventricles(root, found)
        | measure.numbers(size)
    )


def _info(root: str, unit: str) -> dict[str, str]:
    path = next(f for f in pathlib.Path(root, unit).iterdir() if INFO.fullmatch(f.name))
    lines = (line.partition(":") for line in path.read_text(errors="replace").splitlines())
    return {key.strip(): value.strip() for key, _, value in lines}


def _integer(info: dict[str, str], key: str) -> int:
    return int(info[key]) if info.get(key, "").isdecimal() else -1
