"""Joins reports and labels to exams, and patients to their exams, by the key columns."""

import dataclasses
from collections import Counter, defaultdict

from data_prep.deid.scrub import scrub, suspect
from data_prep.exam.plan import ExamPlan
from data_prep.read.reject import Reject, Why
from data_prep.reports.impression import extract, sentences
from data_prep.reports.table import KEY_COLUMNS


@dataclasses.dataclass(frozen=True)
class Impression:
    """A de-identified impression and its sentences."""

    text: str
    sentences: tuple[str, ...]
    removed: Counter = dataclasses.field(default_factory=Counter)  # identifiers by class


@dataclasses.dataclass
class Joined:
    """Impressions and labels by StudyInstanceUID, how they were joined, and what was not."""

    impressions: dict[str, Impression]
    labels: dict[str, dict[str, str]]
    joined_by: Counter
    rejects: list[Reject]


def patients_of(plans: list[ExamPlan], rows: list[dict[str, str]]) -> dict[str, str]:
    """StudyInstanceUID -> one name for its patient: PatientIDs that share an accession are one."""
    parent: dict[str, str] = {}

    def find(item: str) -> str:
        while parent.setdefault(item, item) != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    def union(a: str, b: str) -> None:
        low, high = sorted((find(a), find(b)))
        parent[high] = low

    for plan in plans:
        union(f"p{plan.patient_id}", f"s{plan.study_uid}")
        if plan.accession:
            union(f"p{plan.patient_id}", f"a{plan.accession}")
    for row in rows:
        keys = [
            prefix + v for prefix, c in zip("psa", KEY_COLUMNS, strict=True) if (v := row.get(c))
        ]
        for other in keys[1:]:
            union(keys[0], other)
    return {plan.study_uid: find(f"p{plan.patient_id}") for plan in plans}


def join(
    plans: list[ExamPlan], reports: list[dict[str, str]], labels: list[dict[str, str]]
) -> Joined:
    """Joins by study, then accession, then patient (only where the patient has one exam)."""
    joined = Joined({}, {}, Counter(), [])
    index = _Index(plans)
    by_uid = {plan.study_uid: plan for plan in plans}
    for number, row in enumerate(reports):
        where = f"report row {number + 1}"
        uid = _matched(index, row, where, joined)
        if uid is None:
            continue
        impression = _impression(row.get("report_text", ""), by_uid[uid], row, where)
        if isinstance(impression, Reject):
            joined.rejects.append(impression)
        elif uid in joined.impressions and joined.impressions[uid].text != impression.text:
            joined.impressions[uid] = impression  # a later row corrects an earlier one
            joined.rejects.append(Reject(Why.REPEAT, where, "an earlier report of the same exam"))
        else:
            joined.impressions[uid] = impression
    for number, row in enumerate(labels):
        uid = _matched(index, row, f"label row {number + 1}", joined)
        if uid is not None:
            joined.labels[uid] = {k: v for k, v in row.items() if k not in KEY_COLUMNS}
    return joined


class _Index:
    def __init__(self, plans: list[ExamPlan]):
        self.by_study = {plan.study_uid: plan.study_uid for plan in plans}
        self.by_accession = _unique((plan.accession, plan.study_uid) for plan in plans)
        self.by_patient = _unique((plan.patient_id, plan.study_uid) for plan in plans)

    def find(self, row: dict[str, str]) -> tuple[str, str] | None:
        for column, table in (
            ("study_instance_uid", self.by_study),
            ("accession_number", self.by_accession),
            ("patient_id", self.by_patient),
        ):
            if (value := row.get(column)) and value in table:
                return table[value], column
        return None


def _unique(pairs) -> dict[str, str]:
    grouped = defaultdict(list)
    for key, value in pairs:
        grouped[key].append(value)
    return {key: values[0] for key, values in grouped.items() if key and len(values) == 1}


def _matched(index: _Index, row: dict[str, str], where: str, joined: Joined) -> str | None:
    if not any(row.get(column) for column in KEY_COLUMNS):
        joined.rejects.append(Reject(Why.NO_KEY, where))
        return None
    found = index.find(row)
    if found is None:
        joined.rejects.append(Reject(Why.NO_EXAM, where))
        return None
    joined.joined_by[f"{where.split()[0]} by {found[1]}"] += 1
    return found[0]


def _impression(
    report: str, plan: ExamPlan, row: dict[str, str], where: str
) -> Impression | Reject:
    raw = extract(report)
    if raw is None:
        return Reject(Why.NO_IMPRESSION, where)
    known = (*plan.identifiers, *(row[c] for c in KEY_COLUMNS if row.get(c)))
    scrubbed = scrub(raw, known)
    if suspect(scrubbed.text, known):
        return Reject(Why.PHI_SUSPECT, where)
    return Impression(scrubbed.text, tuple(sentences(scrubbed.text)), scrubbed.removed)
