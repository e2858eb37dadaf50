"""Second Annual Data Science Bowl (Kaggle 2015): cines in DICOM, with volumes of the left ventricle.

`train/1/study/sax_5/IM-4562-0001.dcm`, `2ch_21`, `4ch_15`; `train.csv` (Id, Systole, Diastole in ml),
`validate.csv` alike, and `solution.csv` (Id as 701_Diastole, Volume) of the test exams.  Folders name
the view.  The headers are the scanners' own, with real gaps; the patient is the set's number.

Held to the published layout only: no file of the set was at hand.
"""

import os
import pathlib
import re

from data_prep.public import files, measure
from data_prep.public.exam import PublicExam

STUDY = "study"
VIEWS = {"sax": "cine SAX", "2ch": "cine 2CH", "3ch": "cine 3CH", "4ch": "cine 4CH"}
SERIES = re.compile(r"(sax|[234]ch)_\d+")
TABLES = ("", "..")  # where the tables lie, seen from the folder that the user names


def units(root: str) -> list[str]:
    """Folders of patients: those that hold a folder `study`."""
    found = []
    for folder, below, _ in os.walk(root):
        if STUDY in below:
            found.append(os.path.relpath(folder, root))
            below.clear()
    return sorted(found)


def owned(root: str, unit: str) -> list[str]:
    """Files of one patient."""
    return files.below(root, unit)


def exam(root: str, unit: str) -> PublicExam:
    """The series of one patient."""
    folders = sorted({os.path.dirname(path) for path in owned(root, unit)})
    views = {f: SERIES.fullmatch(os.path.basename(f)) for f in folders}
    return PublicExam(
        pathlib.Path(root, unit).absolute().name,
        files.split_of(root, unit),
        dicom=tuple(folders),
        folder_attributes={
            f: {"SeriesDescription": VIEWS[match[1]]} for f, match in views.items() if match
        },
    )


def labels(root: str, unit: str, found: PublicExam) -> dict[str, str]:
    """Volumes at end diastole and end systole, and the ejection fraction."""
    rows = files.table(root, "Id", TABLES)
    if row := rows.get(found.patient):
        cells = [row.get(moment, "") for moment in ("Diastole", "Systole")]
    else:
        solution = (rows.get(f"{found.patient}_{m}", {}) for m in ("Diastole", "Systole"))
        cells = [row.get("Volume", "") for row in solution]
    ed, es = map(measure.number, cells)
    return measure.function_labels({"lv": ed}, {"lv": es}) if ed and es else {}
