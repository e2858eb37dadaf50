"""MS-CMRSeg 2019, multi-sequence segmentation (Zhuang 2019, doi:10.1109/TPAMI.2018.2869576).

`c0t2lge/patient1_C0.nii.gz`, `patient1_LGE.nii.gz`, `patient1_T2.nii.gz`, with masks
`patient1_C0_manual.nii.gz` and so on in folders `c0gt`, `lgegt`, `t2gt` and those of the test data
(500 left ventricle, 200 myocardium, 600 right ventricle).  Files are found by name in any folder.  45
patients with cardiomyopathy; no clinical facts, and no split: the challenge tested on LGE alone.

Held to the published layout only: no file of the set was at hand.
"""

from data_prep.public import measure, sequences
from data_prep.public.exam import Parts, PublicExam

PARTS = Parts(lv=(500,), myocardium=(200,), rv=(600,))
SEQUENCES = ("C0", "LGE", "T2")

owned = sequences.owned


def units(root: str) -> list[str]:
    """Patients by the start of their files' names."""
    return sequences.patients(root, r"patient\d+")


def exam(root: str, unit: str) -> PublicExam:
    """The three stacks of one patient."""
    masks = {f"{end}_manual": end for end in SEQUENCES}
    return sequences.exam(root, unit, "", SEQUENCES, masks, PARTS)


def labels(root: str, unit: str, found: PublicExam) -> dict[str, str]:
    """Volume of the myocardium in the first stack that is outlined."""
    for mask in found.masks:
        try:
            return {"myocardium_ml": f"{measure.milliliters(root, mask)['myocardium']:.1f}"}
        except measure.UNREADABLE:
            continue
    return {}
