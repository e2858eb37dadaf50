"""What will be made of one study: its stacks, labelled, and the few facts that may be kept."""

import dataclasses
from typing import Any

from cmr_jax.schema import Sequence, View
from data_prep.classify import decision
from data_prep.classify.lexicon import Lexicon
from data_prep.exam.repeats import best_of_each
from data_prep.read.instance import PERSON_KEYWORDS, Instance, number
from data_prep.read.reject import Reject, Why
from data_prep.stacks.duplicates import drop_duplicates
from data_prep.stacks.stack import RawStack, build_stacks

# Header strings that the second pass still needs; the rest stays behind.
PIXEL_KEYWORDS = (
    "RescaleSlope",
    "RescaleIntercept",
    "PhotometricInterpretation",
    "PixelPaddingValue",
)
# What a reader of the heart looks at: everything but what planning and reporting left behind.
CLINICAL = frozenset(Sequence) - {Sequence.LOCALIZER, Sequence.DERIVED}
FACTS = (
    "AccessionNumber",
    "StudyDate",
    "Manufacturer",
    "MagneticFieldStrength",
    "PatientSex",
    "PatientAge",
)
STRONGEST_T = 12.0
IDENTIFIER_KEYWORDS = (
    *PERSON_KEYWORDS,
    "PatientID",
    "AccessionNumber",
    "PatientBirthDate",
    "StudyDate",
    "OtherPatientIDs",
    "PatientTelephoneNumbers",
    "InstitutionName",
)


@dataclasses.dataclass(frozen=True)
class PlannedStack:
    """A stack with its place, its frames stripped of header text, and its label."""

    raw: RawStack
    view: View
    sequence: Sequence
    confidence: float
    evidence: tuple[str, ...]
    contrast: str = ""  # of a cine: "bSSFP", "GRE" or unknown
    unit: str = ""  # of its real values


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExamSummary:
    """Of one study, what decides where it goes and what its report must not say."""

    study_uid: str
    patient_id: str
    accession: str
    study_date: str
    identifiers: tuple[str, ...]  # this patient's strings, to be found and removed in the report
    frame_count: int
    rejects: tuple[Reject, ...] = ()
    plan: str = ""  # where the whole plan lies


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExamPlan(ExamSummary):
    """One study, local: identifiers are still in it.  Never shipped, deleted after the build."""

    vendor: str
    field_strength_t: float
    sex: str
    age_band: str
    stacks: tuple[PlannedStack, ...]
    copies: tuple[tuple[Instance, Instance], ...] = ()  # of kept frames, to be compared

    def summary(self, plan: str) -> ExamSummary:
        """The part that needs no frame, with the name under which the whole is kept."""
        names = (field.name for field in dataclasses.fields(ExamSummary))
        kept: dict[str, Any] = {name: getattr(self, name) for name in names}
        kept["plan"] = plan
        return ExamSummary(**kept)


@dataclasses.dataclass(frozen=True)
class Choice:
    """Which sequences are kept, and the words that name them (None: the project's own)."""

    keep: frozenset[Sequence] = CLINICAL
    words: Lexicon | None = None


def plan_exam(
    study_uid: str, instances: list[Instance], choice: Choice = Choice()
) -> ExamPlan | list[Reject]:
    """Plans one study, or says why none of it can be used."""
    patients = {i.text["PatientID"].strip() for i in instances}
    if len(patients) > 1:
        return [Reject(Why.PATIENT_CONFLICT, i.where) for i in instances]
    unique = drop_duplicates(instances)
    raw, rejects = build_stacks(unique.instances)
    rejects = unique.rejects + rejects
    if not raw:
        return rejects
    chosen, repeats = best_of_each(raw, decision.classify(raw, choice.words))
    rejects += repeats
    rejects += [
        Reject(Why.NOT_KEPT, f.where)
        for stack, d in chosen
        if d.sequence not in choice.keep
        for one in stack.slices
        for f in one.frames
    ]
    stacks = tuple(
        PlannedStack(
            _stripped(stack), d.view, d.sequence, d.confidence, d.evidence, d.contrast, d.unit
        )
        for stack, d in chosen
        if d.sequence in choice.keep
    )
    if not stacks:
        return rejects
    text = _facts(instances)
    return ExamPlan(
        study_uid=study_uid,
        patient_id=patients.pop(),
        accession=text.get("AccessionNumber", ""),
        study_date=text.get("StudyDate", ""),
        identifiers=_identifiers(instances),
        frame_count=sum(stack.raw.frame_count for stack in stacks),
        rejects=tuple(rejects),
        vendor=vendor_of(text.get("Manufacturer", "")),
        field_strength_t=tesla(text.get("MagneticFieldStrength", "")),
        sex=sex if (sex := text.get("PatientSex", "")) in ("M", "F") else "",
        age_band=age_band(text.get("PatientAge", "")),
        stacks=stacks,
        copies=tuple((_bare(kept), _bare(copy)) for kept, copy in unique.copies),
    )


def _facts(instances: list[Instance]) -> dict[str, str]:
    """What is said of a study: the first value that is not empty, by series."""
    facts: dict[str, str] = {}
    for one in sorted(instances, key=lambda i: (i.text["SeriesInstanceUID"], i.where, i.frame)):
        for keyword in FACTS:
            if keyword not in facts and (value := one.text.get(keyword)):
                facts[keyword] = value
        if len(facts) == len(FACTS):
            break
    return facts


def tesla(text: str) -> float:
    """Field strength to a tenth; 0 where it is none of a scanner for people."""
    value = number(text) or 0.0
    return round(value, 1) if 0 < value <= STRONGEST_T else 0.0


def vendor_of(manufacturer: str) -> str:
    """One of four words: free text does not leave."""
    lower = manufacturer.lower()
    known = {"siemens": "Siemens", "ge ": "GE", "general electric": "GE", "philips": "Philips"}
    return next((name for word, name in known.items() if word in lower + " "), "other")


def age_band(age: str) -> str:
    """`047Y` -> `40-49`; everybody from 90 is one group (HIPAA 45 CFR 164.514(b)(2)(i)(C))."""
    if (
        not (len(age) == 4 and age[:3].isascii() and age[:3].isdigit() and age[3] in "YMWD")
        or age == "000Y"
    ):
        return ""
    years = int(age[:3]) if age[3] == "Y" else 0
    return "90+" if years >= 90 else f"{years // 10 * 10}-{years // 10 * 10 + 9}"


def _identifiers(instances: list[Instance]) -> tuple[str, ...]:
    found = {i.text[k] for i in instances for k in IDENTIFIER_KEYWORDS if i.text.get(k)}
    return tuple(sorted(found))


def _stripped(stack: RawStack) -> RawStack:
    """The stack without header text that only planning needed."""
    slices = tuple(
        dataclasses.replace(
            one,
            frames=tuple(map(_bare, one.frames)),
        )
        for one in stack.slices
    )
    return dataclasses.replace(stack, slices=slices)


def _bare(frame: Instance) -> Instance:
    return dataclasses.replace(
        frame, text={k: frame.text[k] for k in PIXEL_KEYWORDS if k in frame.text}
    )
