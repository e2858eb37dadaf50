"""Public sets of cardiac MRI in the layouts they are handed out in: `--dicom acdc:DIR` and so on.

A module for each set names its exams (`units`), the files of each (`owned`), which of them are images
and masks (`exam`), and what is true of the patient (`labels`).  Masks are for evaluation: they never
enter prepared data.
"""

import functools

from data_prep.public import (
    acdc,
    emidec,
    emidec_png,
    files,
    kaggle,
    mnms,
    mnms2,
    mscmr,
    myops,
    sunnybrook,
    sunnybrook_png,
)
from data_prep.public.exam import Mask, PublicExam

LAYOUTS = {
    "acdc": acdc,
    "emidec": emidec,
    "emidec_png": emidec_png,
    "kaggle": kaggle,
    "mnms": mnms,
    "mnms2": mnms2,
    "mscmr": mscmr,
    "myops": myops,
    "sunnybrook": sunnybrook,
    "sunnybrook_png": sunnybrook_png,
}
# Limits of the spacing that a user states for pictures without a header.
LEAST_SPACING_MM, LARGEST_SPACING_MM = 0.3, 30.0


def is_public(spec: str) -> bool:
    """Whether a source is a public set."""
    return spec.partition(":")[0] in LAYOUTS


def names() -> str:
    """The sets as they are written on the command line."""
    return ", ".join(f"{name}:DIR" for name in LAYOUTS)


def units(spec: str) -> list[str]:
    """Names of its exams.  A ValueError where there is none."""
    spacing_of(spec)  # an error for a wrong one
    found = _layout(spec).units(root_of(spec))
    if not found:
        raise ValueError(
            f"--dicom {spec}: no exam in the layout of {spec.partition(':')[0].upper()}."
        )
    return found


def exam(spec: str, unit: str) -> PublicExam:
    """The files of one exam and their meaning."""
    layout, spacing = _layout(spec), spacing_of(spec)
    read = functools.partial(layout.exam, root_of(spec), unit)
    return read(spacing) if getattr(layout, "PICTURES", False) else read()


def owned(spec: str, unit: str) -> list[str]:
    """Every file that belongs to one exam, as paths below the root."""
    return _layout(spec).owned(root_of(spec), unit)


def other_files(spec: str) -> list[str]:
    """Files below the root that belong to no exam."""
    root = root_of(spec)
    mine = {path for unit in units(spec) for path in owned(spec, unit)}
    return [path for path in files.all_files(root) if path not in mine]


def masks(spec: str, unit: str) -> tuple[Mask, ...]:
    """Segmentations of one exam, with the meaning of their values."""
    return exam(spec, unit).masks


def label_rows(spec: str) -> list[dict[str, str]]:
    """Labels of all exams with the key column that joins them; `split` is that of the authors."""
    rows = []
    for unit in units(spec):
        found = exam(spec, unit)
        labels = _layout(spec).labels(root_of(spec), unit, found)
        rows.append(({"patient_id": found.patient, "split": found.split}, labels))
    columns = sorted({column for _, labels in rows for column in labels})
    return [keys | {c: labels.get(c, "") for c in columns} for keys, labels in rows]


def root_of(spec: str) -> str:
    """The folder that a source names."""
    return spec.partition(":")[2].partition("?")[0]


def spacing_of(spec: str) -> tuple[float, float, float] | None:
    """Spacing of pictures in mm (columns, rows, slices) as the user gives it; None otherwise."""
    _, asked, text = spec.partition("?")
    if not asked:
        return None
    try:
        columns, rows, slices = map(float, text.removeprefix("spacing_mm=").split(","))
    except ValueError:
        columns = rows = slices = 0.0
    if not all(LEAST_SPACING_MM <= s <= LARGEST_SPACING_MM for s in (columns, rows, slices)):
        raise ValueError(f"--dicom {spec}: write the spacing in mm as DIR?spacing_mm=1.4,1.4,10.")
    return columns, rows, slices


def _layout(spec: str):
    return LAYOUTS[spec.partition(":")[0]]
