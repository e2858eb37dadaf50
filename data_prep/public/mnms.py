"""M&Ms, the multi-centre, multi-vendor challenge (Campello 2021, doi:10.1109/TMI.2021.3090082).

A CSV at the root has a row for each exam (`External code`, `Pathology`, `VendorName`, `ED`, `ES`,
`Age`, `Sex`, ...); below `Training/Labeled`, `Validation` and `Testing` lie `A0S9V9/A0S9V9_sa.nii.gz`,
a short-axis cine, and `A0S9V9_sa_gt.nii.gz`, segmentations at both moments (1 left ventricle,
2 myocardium, 3 right ventricle).
"""

import csv
import pathlib
import re

from data_prep.public.exam import Parts, PublicExam, measured, one_hot, split_of, walk

PARTS = Parts(lv=1, myocardium=2, rv=3)
FINDINGS = {"NOR": "normal", "DCM": "dcm", "HCM": "hcm", "ARV": "abnormal_rv"}
CODE = "External code"


def folders(root: str) -> list[str]:
    """Folders with a short-axis cine."""
    return walk(root, re.compile(r".+_sa\.nii(\.gz)?"))


def exam(root: str, folder: str) -> PublicExam:
    """One exam's folder."""
    where = pathlib.Path(root, folder)
    patient = where.name
    row = _rows(root).get(patient, {})
    cine, mask = (
        next((f.name for f in sorted(where.glob(f"{patient}_{kind}.nii*"))), "")
        for kind in ("sa", "sa_gt")
    )
    group = row.get("Pathology", "").upper()
    labels = one_hot(group, FINDINGS)
    moments = [row.get(key, "") for key in ("ED", "ES")]
    if mask and all(m.isdigit() for m in moments):
        labels |= measured(where / mask, where / mask, PARTS, (int(moments[0]), int(moments[1])))
    said = {"SeriesDescription": "cine SAX"}
    for name, column in (("Manufacturer", "VendorName"), ("PatientSex", "Sex")):
        if value := row.get(column, ""):
            said[name] = value
    if (age := row.get("Age", "").split(".")[0]).isdigit():
        said["PatientAge"] = f"{int(age):03d}Y"
    return PublicExam(
        patient,
        split_of(root, folder),
        cine=f"{folder}/{cine}" if cine else "",
        said=said,
        labels=labels,
    )


def _rows(root: str) -> dict[str, dict[str, str]]:
    """Rows of the table at the root by code; none where there is no such table."""
    for path in sorted(pathlib.Path(root).glob("*.csv")):
        with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
            rows = list(csv.DictReader(file))
        if rows and CODE in rows[0]:
            return {row[CODE]: {k: v or "" for k, v in row.items() if k} for row in rows}
    return {}
