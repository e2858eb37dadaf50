"""EMIDEC as 8-bit pictures (see `emidec` for the set).

`images/Case_P036_slice000.png` and `masks/` with the same names (1 cavity, 2 myocardium, 3 infarct,
4 no-reflow), warped to 256 x 256, and `clinical.csv` with a row for each case number: `myo`, `inf`,
`pmo` in ml (no-reflow counts as infarct, infarct as myocardium), `sex` (1 female), `age` and others.

The warp loses spacing and aspect: a stack needs `DIR?spacing_mm=COLUMNS,ROWS,SLICES`, and is then
flagged "spacing unknown".  Volumes in ml come from the table.  Tested on 50 real exams.
"""

import pathlib
import re

from data_prep.public import files, measure
from data_prep.public.emidec import ATTRIBUTES, PARTS, group_labels, tissue_labels
from data_prep.public.exam import Mask, Problem, PublicExam, Volume

PICTURES = True  # without a header: `exam` takes a spacing
NAME = re.compile(r"(Case_[NPM]?(\d+))_slice(\d+)\.png")
VOLUMES = {"myocardium": "myo", "infarct": "inf", "no_reflow": "pmo"}
NUMBERS = {
    "lv_ef_percent": "FEVG",
    "troponin": "troponin",
    "killip_class": "killip",
    "nt_pro_bnp": "NTP",
    "overweight": "overweight",
    "hypertension": "hypertension",
    "diabetes": "diabetes",
    "family_history": "familial_disease",
    "st_elevation": "ECG",
}
SEX = {"0": "M", "1": "F"}  # by cases whose clinical text is published


def units(root: str) -> list[str]:
    """Cases that have pictures."""
    return sorted({m[1] for name in _names(root, "images") if (m := NAME.fullmatch(name))})


def owned(root: str, unit: str) -> list[str]:
    """Pictures and masks of one case."""
    pairs = [(f, name) for f in ("images", "masks") for name in _names(root, f)]
    return [f"{f}/{name}" for f, name in pairs if name.startswith(f"{unit}_slice")]


def exam(root: str, unit: str, spacing: tuple[float, float, float] | None) -> PublicExam:
    """The short-axis stack of one case."""
    paths = owned(root, unit)
    images = tuple(path for path in paths if path.startswith("images/"))
    row = _row(root, unit)
    attributes = ATTRIBUTES | measure.person(SEX.get(row.get("sex", ""), ""), row.get("age", ""))
    masks = [(path, path.replace("masks/", "images/", 1)) for path in paths if path not in images]
    return PublicExam(
        unit,
        volumes=(Volume(images, attributes, "lge", spacing_mm=spacing),) if spacing else (),
        masks=tuple(Mask(path, PARTS, image) for path, image in masks if image in images),
        problems=() if spacing else tuple((path, Problem.UNKNOWN_SPACING) for path in images),
    )


def labels(root: str, unit: str, found: PublicExam) -> dict[str, str]:
    """Group, volumes of the contoured tissues, and clinical facts."""
    row = _row(root, unit)
    volumes = {part: measure.number(row.get(column, "")) for part, column in VOLUMES.items()}
    known = {part: value for part, value in volumes.items() if value is not None}
    tissue = tissue_labels(known) if len(known) == len(volumes) else {}
    clinical = measure.numbers({c: row.get(key, "") for c, key in NUMBERS.items()})
    return group_labels(unit) | tissue | clinical


def _row(root: str, unit: str) -> dict[str, str]:
    return files.table(root, "case").get(str(int(re.sub(r"\D", "", unit))), {})


def _names(root: str, folder: str) -> list[str]:
    where = pathlib.Path(root, folder)
    return sorted(p.name for p in where.iterdir()) if where.is_dir() else []
