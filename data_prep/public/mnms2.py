"""M&Ms-2, right ventricles of several diseases and views (Martin-Isla 2023, doi:10.1109/JBHI.2023.3267857).

`dataset_information.csv` (SUBJECT_CODE, DISEASE, VENDOR, SCANNER, FIELD) and `dataset/001/` with
`001_SA_CINE.nii.gz` and `001_LA_CINE.nii.gz` (short axis; four chambers), the moments
`001_SA_ED.nii.gz`, `001_SA_ES.nii.gz`, `001_LA_ED.nii.gz`, `001_LA_ES.nii.gz`, each with `_gt` its
segmentation (1 left ventricle, 2 myocardium, 3 right ventricle).  360 exams: 160 to train on, 40 to
validate, 160 to test.

Without a cine its moments are one, at unknown places in the cycle: no table gives their frame numbers.
Held to the published layout only: no file of the set was at hand.
"""

import pathlib
import re

from data_prep.public import files, measure
from data_prep.public.exam import CYCLE_POSITIONS, Mask, Parts, Problem, PublicExam, Volume
from data_prep.public.files import NIFTI

PARTS = Parts(lv=(1,), myocardium=(2,), rv=(3,))
FINDINGS = {
    "NOR": "normal",
    "LV": "lv_dilation",
    "HCM": "hcm",
    "ARR": "arrhythmogenic_cardiomyopathy",
    "FALL": "tetralogy_of_fallot",
    "CIA": "atrial_septal_defect",
    "RV": "rv_dilation",
    "TRI": "tricuspid_regurgitation",
}
VIEWS = {"SA": "cine SAX", "LA": "cine 4CH"}
CODE = "SUBJECT_CODE"
LAST_TRAIN, LAST_VAL = 160, 200  # numbers of exams run through the challenge's splits


def units(root: str) -> list[str]:
    """Folders with short-axis images."""
    return files.folders_with(root, re.compile(rf"\d+_SA_(?:CINE|ED|ES){NIFTI}"))


def owned(root: str, unit: str) -> list[str]:
    """Files of one exam."""
    return files.below(root, unit)


def exam(root: str, unit: str) -> PublicExam:
    """Both cines of one folder."""
    names, patient = owned(root, unit), pathlib.Path(root, unit).absolute().name
    row = _row(root, patient)
    shared = {}
    if row.get("VENDOR"):
        shared["Manufacturer"] = row["VENDOR"]
    if (tesla := measure.number(row.get("FIELD", ""))) is not None:
        shared["MagneticFieldStrength"] = f"{tesla:g}"
    volumes, duplicates, masks, problems = [], [], [], []
    for view, description in VIEWS.items():
        attributes = shared | {"SeriesDescription": description}
        stem = f"{re.escape(patient)}_{view}_"
        cine = files.find(names, f"{stem}CINE{NIFTI}")
        moments = [files.find(names, f"{stem}{key}{NIFTI}") for key in ("ED", "ES")]
        outlines = [files.find(names, f"{stem}{key}_gt{NIFTI}") for key in ("ED", "ES")]
        if cine:
            volumes.append(Volume((cine,), attributes))
            duplicates += filter(None, moments)
        elif all(moments):
            volumes.append(Volume(tuple(moments), attributes, f"{view}_ed_and_es", moments=2))
        else:
            problems.append((f"{unit}/{patient}_{view}_CINE.nii.gz", Problem.MISSING))
        masks += [
            Mask(path, PARTS, image, moment)
            for path, image, moment in zip(outlines, moments, CYCLE_POSITIONS, strict=True)
            if path
        ]
    return PublicExam(
        patient,
        _split(patient),
        volumes=tuple(volumes),
        duplicates=tuple(duplicates),
        masks=tuple(masks),
        problems=tuple(problems),
    )


def labels(root: str, unit: str, found: PublicExam) -> dict[str, str]:
    """Disease, and what the short-axis masks measure."""
    disease = _row(root, found.patient).get("DISEASE", "").upper()
    return measure.one_hot(disease, FINDINGS) | measure.ventricles(root, found, "_SA_")


def _row(root: str, patient: str) -> dict[str, str]:
    """The table's row; it writes numbers without leading zeros."""
    rows = files.table(root, CODE, ("", ".."))
    return rows.get(patient.lstrip("0")) or rows.get(patient, {})


def _split(patient: str) -> str:
    if not patient.isdecimal():
        return ""
    number = int(patient)
    return "train" if number <= LAST_TRAIN else "val" if number <= LAST_VAL else "test"
