"""M&Ms, the multi-centre, multi-vendor challenge (Campello 2021, doi:10.1109/TMI.2021.3090082).

A CSV at the root has a row for each exam (`External code`, `Pathology`, `VendorName`, `ED`, `ES`,
`Age`, `Sex`, `Height`, `Weight`); below `Training/Labeled`, `Validation` and `Testing` lie
`A0S9V9/A0S9V9_sa.nii.gz`, a short-axis cine, and `A0S9V9_sa_gt.nii.gz`, segmentations at both moments
(ED and ES are indices from 0; 1 left ventricle, 2 myocardium, 3 right ventricle).

Held to the published layout only: no file of the set was at hand.
"""

import pathlib
import re

from data_prep.public import files, measure
from data_prep.public.exam import CYCLE_POSITIONS, Mask, Parts, PublicExam, Volume
from data_prep.public.files import NIFTI

PARTS = Parts(lv=(1,), myocardium=(2,), rv=(3,))
FINDINGS = {"NOR": "normal", "DCM": "dcm", "HCM": "hcm", "ARV": "abnormal_rv"}
CODE = "External code"


def units(root: str) -> list[str]:
    """Folders with a short-axis cine."""
    return files.folders_with(root, re.compile(rf".+_sa{NIFTI}"))


def owned(root: str, unit: str) -> list[str]:
    """Files of one exam."""
    return files.below(root, unit)


def exam(root: str, unit: str) -> PublicExam:
    """The cine of one folder."""
    names, patient = owned(root, unit), pathlib.Path(root, unit).absolute().name
    row = files.table(root, CODE).get(patient, {})
    cine = files.find(names, rf".+_sa{NIFTI}")
    segmented = files.find(names, rf".+_sa_gt{NIFTI}")
    moments = [row.get(key, "") for key in ("ED", "ES")]
    known = segmented and all(m.isdecimal() for m in moments)
    attributes = {"SeriesDescription": "cine SAX"}
    if vendor := row.get("VendorName", ""):
        attributes["Manufacturer"] = vendor
    attributes |= measure.person(row.get("Sex", ""), row.get("Age", ""))
    return PublicExam(
        patient,
        files.split_of(root, unit),
        volumes=(Volume((cine,), attributes),),
        masks=tuple(
            Mask(segmented, PARTS, cine, moment, int(at))
            for moment, at in zip(CYCLE_POSITIONS, moments, strict=True)
            if known
        ),
    )


def labels(root: str, unit: str, found: PublicExam) -> dict[str, str]:
    """Disease, what the masks measure, height and weight."""
    row = files.table(root, CODE).get(found.patient, {})
    size = {"height_cm": row.get("Height", ""), "weight_kg": row.get("Weight", "")}
    return (
        measure.one_hot(row.get("Pathology", "").upper(), FINDINGS)
        | measure.ventricles(root, found)
        | measure.numbers(size)
    )
