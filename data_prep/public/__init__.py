"""Public sets of cardiac MRI in the layouts they are handed out in: `acdc:DIR`, `mnms:DIR`.

Each says of a folder which volumes are the exam, what the files themselves do not say (whose,
which view), which split the set's authors put it in, and what is true of it.
"""

from data_prep.public import acdc, mnms
from data_prep.public.exam import PublicExam

LAYOUTS = {"acdc": acdc, "mnms": mnms}


def is_public(spec: str) -> bool:
    """Whether a source is a public set."""
    return spec.partition(":")[0] in LAYOUTS


def folders(spec: str) -> list[str]:
    """The folders of its exams, below its root.  A ValueError where there is none."""
    layout, root = _of(spec)
    found = layout.folders(root)
    if not found:
        raise ValueError(
            f"--dicom {spec}: no exam in the layout of {spec.partition(':')[0].upper()}."
        )
    return found


def exam(spec: str, folder: str) -> PublicExam:
    """What is in one of them."""
    layout, root = _of(spec)
    return layout.exam(root, folder)


def label_rows(spec: str) -> list[dict[str, str]]:
    """The truth of all exams with the key column that joins them; `split` is that of the authors."""
    found = [exam(spec, folder) for folder in folders(spec)]
    columns = sorted({column for e in found for column in e.labels})
    return [
        {"patient_id": e.patient, "split": e.split} | {c: e.labels.get(c, "") for c in columns}
        for e in found
    ]


def root_of(spec: str) -> str:
    """The folder that a source names."""
    return spec.partition(":")[2]


def _of(spec: str):
    return LAYOUTS[spec.partition(":")[0]], root_of(spec)
