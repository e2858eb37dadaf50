"""Joins reports and labels to exams, and patients to their exams, by the key columns."""

import dataclasses
from collections import Counter, defaultdict

from data_prep.deid.scrub import scrub, suspect
from data_prep.exam.plan import ExamSummary
from data_prep.read.reject import Reject, Why
from data_prep.reports.exam_index import ExamIndex
from data_prep.reports.impression import sentences
from data_prep.reports.joined import Impression, Joined
from data_prep.reports.rows import KEY_COLUMNS, SEPARATOR, canonical
from data_prep.reports.versions import Version, settle


def patients_of(summaries: list[ExamSummary], rows: list[dict[str, str]]) -> dict[str, str]:
    """StudyInstanceUID -> one name for its patient: PatientIDs that share an accession are one."""
    # The name is the smallest PatientID, and "p" sorts before the keys of studies and accessions:
    # more exams of a patient do not rename him.
    parent: dict[str, str] = {}

    def find(item: str) -> str:
        while parent.setdefault(item, item) != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    def union(a: str, b: str) -> None:
        low, high = sorted((find(a), find(b)))
        parent[high] = low

    for summary in summaries:
        union(_patient(summary), f"s{canonical(summary.study_uid)}")
        if accession := canonical(summary.accession):
            union(_patient(summary), f"t{accession}")
    for row in rows:
        keys = [
            prefix + v
            for prefix, c in zip("pst", KEY_COLUMNS, strict=True)
            if (v := canonical(row.get(c, "")))
        ]
        for other in keys[1:]:
            union(keys[0], other)
    return {summary.study_uid: find(_patient(summary)) for summary in summaries}


def _patient(summary: ExamSummary) -> str:
    """A number that stands for none still names its exams' patient."""
    return f"p{canonical(summary.patient_id) or summary.patient_id}"


def join(
    summaries: list[ExamSummary], reports: list[dict[str, str]], labels: list[dict[str, str]]
) -> Joined:
    """Joins by study, accession, patient, or patient and date; of several reports, one counts."""
    joined = Joined({}, {}, Counter(), [])
    index = ExamIndex(summaries)
    by_uid = {summary.study_uid: summary for summary in summaries}
    for uid, versions in _versions(index, reports, joined).items():
        settled = settle(versions)
        joined.rejects += settled.rejects
        if settled.text is None or settled.winner is None:
            continue
        known = (*by_uid[uid].identifiers, *_identifiers(versions))
        scrubbed = scrub(settled.text, known)
        text = scrubbed.text
        if suspect(text, known):
            joined.rejects.append(Reject(Why.PHI_SUSPECT, settled.winner.where))
        else:
            joined.impressions[uid] = Impression(text, tuple(sentences(text)), scrubbed.removed)
    _join_labels(index, labels, joined)
    return joined


def _join_labels(index: ExamIndex, rows: list[dict[str, str]], joined: Joined) -> None:
    """Of rows that say the same of an exam one counts; of rows that differ none does."""
    found: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)  # by exam and place
    for number, row in enumerate(rows, 1):
        where = f"label row {number}"
        if (uid := _matched(index, row, where, joined)) is not None:
            found[uid][where] = {k: v for k, v in row.items() if k not in KEY_COLUMNS}
    for uid, said in found.items():
        first, *others = said.items()
        if all(labels == first[1] for _, labels in others):
            joined.labels[uid] = first[1]
            joined.rejects += [Reject(Why.DUPLICATE, where) for where, _ in others]
        else:
            joined.rejects += [Reject(Why.LABEL_CONFLICT, where) for where in said]


def _versions(
    index: ExamIndex, reports: list[dict[str, str]], joined: Joined
) -> dict[str, list[Version]]:
    """Reports by exam, exams in the order of their first report."""
    found: dict[str, list[Version]] = defaultdict(list)
    lost: list[tuple[str, Reject]] = []
    used: Counter = Counter()  # exams by group of linked orders
    for number, row in enumerate(reports, 1):
        where = row.get("where") or f"report row {number}"
        if why := row.get("reject"):
            joined.rejects.append(Reject(Why[why], where, row.get("detail", "")))
            continue
        group, before = row.get("linked", ""), len(joined.rejects)
        uid = _matched(index, row, where, joined)
        if uid is not None:
            found[uid].append(Version(row, where, number))
            used[group] += bool(group)
        elif group and joined.rejects[before].why is Why.NO_EXAM:
            lost.append((group, joined.rejects.pop()))
    for group, reject in lost:
        why = Why.LINKED_ORDER if used[group] else reject.why
        joined.rejects.append(dataclasses.replace(reject, why=why))
    if shared := sum(count for count in used.values() if count > 1):
        joined.joined_by["report of linked orders"] = shared
    return found


def _matched(index: ExamIndex, row: dict[str, str], where: str, joined: Joined) -> str | None:
    found = index.find(row)
    if found.why is not None:
        joined.rejects.append(Reject(found.why, where))
        return None
    kind = where.split()[0]
    joined.joined_by[f"{kind} by {found.how}"] += 1
    for column in found.unknown:
        joined.joined_by[f"{kind} whose {column} no exam has"] += 1
    return found.study_uid


def _identifiers(versions: list[Version]) -> list[str]:
    """Strings of an exam's reports that must not stay in its text."""
    found: list[str] = []
    for version in versions:
        found += [v for c in KEY_COLUMNS if canonical(v := version.row.get(c, ""))]
        for column in ("other_numbers", "identifiers"):
            found += version.row.get(column, "").split(SEPARATOR)
    return [value for value in dict.fromkeys(found) if value]
