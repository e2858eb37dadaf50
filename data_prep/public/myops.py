"""MyoPS 2020, myocardial pathology from three sequences (Li 2023, doi:10.1016/j.media.2023.102808).

`train25/myops_training_101_C0.nii.gz`, `_DE`, `_T2`, with one mask for all in `train25_myops_gd/`,
`myops_training_101_gd.nii.gz` (500 left ventricle, 600 right ventricle, 200 normal myocardium, 1220
edema, 2221 scar), and `test20/myops_test_201_C0.nii.gz` and so on without masks.  The authors
registered the sequences to one another.  45 patients with infarction.

Held to the published layout only: no file of the set was at hand.
"""

from data_prep.public import measure, sequences
from data_prep.public.exam import Parts, PublicExam

PARTS = Parts(lv=(500,), myocardium=(200, 1220, 2221), rv=(600,), infarct=(2221,), edema=(1220,))
SEQUENCES = ("C0", "DE", "T2")
SPLITS = {"training": "train", "test": "test"}

owned = sequences.owned


def units(root: str) -> list[str]:
    """Patients by the start of their files' names."""
    return sequences.patients(root, r"myops_(?:training|test)_\d+")


def exam(root: str, unit: str) -> PublicExam:
    """The three stacks of one patient; the mask outlines all of them and is listed with C0."""
    split = SPLITS[unit.split("_")[1]]
    return sequences.exam(root, unit, split, SEQUENCES, {"gd": "C0"}, PARTS)


def labels(root: str, unit: str, found: PublicExam) -> dict[str, str]:
    """Volumes of myocardium, scar and edema, and whether there is any."""
    try:
        volumes = measure.milliliters(root, found.masks[0])
    except (*measure.UNREADABLE, LookupError):
        return {}
    measured = {f"{p}_ml": f"{volumes[p]:.2f}" for p in ("myocardium", "infarct", "edema")}
    findings = {part: volumes[part] > 0 for part in ("infarct", "edema")}
    return measured | measure.yes_no(findings | {"lge": findings["infarct"]})
