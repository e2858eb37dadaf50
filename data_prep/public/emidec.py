"""EMIDEC, late enhancement after suspected infarction (Lalande 2020, doi:10.3390/data5040089).

`Case_N006/Images/Case_N006.nii.gz`, `Case_N006/Contours/Case_N006.nii.gz` (1 cavity, 2 myocardium,
3 infarct, 4 no-reflow) and `Case N006.txt` with clinical facts, below one folder; N stands for normal
and P for pathological.  100 exams with contours; the 50 of the test set have none and are named Case_101.

The images are phase-sensitive inversion recovery (LGE_PSIR): air is noise around a mid grey, not dark as
in magnitude images.  In pictures of the set, air has a median of 114 to 149 of 255 in all nine exams
whose corners are not padding.  Infarct volumes contain no-reflow, as the set's own numbers do.

NIfTI files are held to the published layout only; the pictures that others made of this set have a
reader of their own, `emidec_png`.
"""

import pathlib
import re

from data_prep.public import files, measure
from data_prep.public.exam import Mask, Parts, PublicExam, Volume
from data_prep.public.files import NIFTI

PARTS = Parts(lv=(1,), myocardium=(2, 3, 4), infarct=(3, 4), no_reflow=(4,))
ATTRIBUTES = {"SeriesDescription": "LGE PSIR SAX", "Manufacturer": "SIEMENS"}
FINDINGS = {"N": "normal", "P": "infarct"}
CASE = re.compile(r"Case_[NPM]?\d+")
TEXT = re.compile(r"\s*([^:]+?)\s*:\s*(.*?)\s*")
# Label columns by the field of the clinical text; the ejection fraction is of echocardiography.
NUMBERS = {
    "lv_ef_percent": "FEVG",
    "troponin": "Troponin",
    "killip_class": "Killip Max",
    "nt_pro_bnp": "NTProBNP",
}
ANSWERS = {
    "overweight": "Overweight",
    "hypertension": "Arterial hypertension",
    "diabetes": "Diabetes",
    "family_history": "Familial history of coronary artery disease",
    "st_elevation": "ECG (ST +)",
}


def units(root: str) -> list[str]:
    """Folders of cases."""
    inside = files.folders_with(root, re.compile(rf"{CASE.pattern}{NIFTI}"))
    cases = {pathlib.PurePosixPath(f).parent for f in inside if f.endswith("Images")}
    return sorted(map(str, cases))


def owned(root: str, unit: str) -> list[str]:
    """Files of a case, and the text beside its folder."""
    text = _text(root, unit)
    beside = [str(pathlib.PurePosixPath(unit).parent / text.name)] if text.is_file() else []
    return files.below(root, unit) + beside


def exam(root: str, unit: str) -> PublicExam:
    """The short-axis stack of one case."""
    names, case = files.below(root, unit), pathlib.Path(root, unit).absolute().name
    image, contours = (
        files.find([p for p in names if f"/{folder}/" in f"/{p}"], re.escape(case) + NIFTI)
        for folder in ("Images", "Contours")
    )
    facts = _facts(root, unit)
    attributes = ATTRIBUTES | measure.person(facts.get("Sex", ""), facts.get("Age", ""))
    return PublicExam(
        case,
        files.split_of(root, unit),
        volumes=(Volume((image,), attributes),) if image else (),
        masks=(Mask(contours, PARTS, image),) if contours else (),
    )


def labels(root: str, unit: str, found: PublicExam) -> dict[str, str]:
    """Group, volumes of the contoured tissues, and clinical facts."""
    facts = _facts(root, unit)
    clinical = measure.numbers({c: facts.get(key, "") for c, key in NUMBERS.items()})
    answers = {c: facts.get(key, "").upper() for c, key in ANSWERS.items()}
    clinical |= {c: str(int(a == "Y")) for c, a in answers.items() if a in ("Y", "N")}
    return group_labels(found.patient) | _tissue(root, found) | clinical


def group_labels(case: str) -> dict[str, str]:
    """Normal or infarct by the letter of a case's name; {} for cases of the test set."""
    letter = case.removeprefix("Case_")[:1]
    return (
        measure.yes_no({f: letter == g for g, f in FINDINGS.items()}) if letter in FINDINGS else {}
    )


def tissue_labels(volumes: measure.Milliliters) -> dict[str, str]:
    """Label columns from the volumes of myocardium, infarct and no-reflow in ml."""
    measured = {
        f"{part}_ml": f"{volumes[part]:.2f}" for part in ("myocardium", "infarct", "no_reflow")
    }
    findings = {part: volumes[part] > 0 for part in ("infarct", "no_reflow")}
    return measured | measure.yes_no(findings | {"lge": findings["infarct"]})


def _tissue(root: str, found: PublicExam) -> dict[str, str]:
    try:
        return tissue_labels(measure.milliliters(root, found.masks[0]))
    except (*measure.UNREADABLE, LookupError):
        return {}


def _text(root: str, unit: str) -> pathlib.Path:
    folder = pathlib.Path(root, unit).absolute()
    return folder.parent / f"{folder.name.replace('_', ' ')}.txt"


def _facts(root: str, unit: str) -> dict[str, str]:
    path = _text(root, unit)
    lines = path.read_text("latin-1").splitlines() if path.is_file() else []
    found = [m.groups() for line in lines if (m := TEXT.fullmatch(line))]
    # A dagger marks fields that are always filled in.
    return {re.sub(r"[^\w)]+$", "", key): value for key, value in found}
