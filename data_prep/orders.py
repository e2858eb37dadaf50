"""The step between the graphs: whose exam it is, which split, which shard, in what order."""

import dataclasses
import datetime
from collections import defaultdict

from cmr_jax.schema import SPLITS
from data_prep.deid.pseudonym import Pseudonyms
from data_prep.exam.plan import ExamSummary
from data_prep.read.reject import Reject, Why
from data_prep.reports.joined import Impression, Joined

SPLIT_COLUMN = "split"  # of labels


@dataclasses.dataclass(frozen=True)
class ExamOrder:
    """One exam to be written, with what may be said of it."""

    plan: str  # its name in the exchange
    exam_id: str
    patient_id: str
    site: str
    days_since_first: int
    impression: Impression


@dataclasses.dataclass(frozen=True)
class ShardOrder:
    """One shard of both tables; `shards` is how many the split has in all."""

    split: str
    shard: int
    shards: int
    exams: tuple[ExamOrder, ...]


@dataclasses.dataclass(frozen=True)
class Existing:
    """What a finished build holds, as far as an update must know."""

    exams: dict[str, tuple[str, str]]  # exam -> (patient, split)
    shards: dict[str, int]  # split -> how many


NOTHING_YET = Existing({}, {})


@dataclasses.dataclass(frozen=True)
class Rules:
    """What decides where an exam goes."""

    pseudonyms: Pseudonyms
    site: str
    splits: dict[str, float]
    exams_per_shard: int
    keep_unpaired: bool


def make_orders(
    rules: Rules,
    summaries: list[ExamSummary],
    joined: Joined,
    owners: dict[str, str],
    existing: Existing = NOTHING_YET,
) -> tuple[list[ShardOrder], list[Reject]]:
    """Exams that can be written, by split and shard; every order is by pseudonym.

    `owners` names the patient of each study.  Shards of an existing build stay, new ones follow.
    Raises ValueError where the new input says that patients of the existing build are others.
    """
    first_dates = _first_dates(summaries, owners)
    given = _given_splits(joined, owners)
    _check_history(rules, summaries, owners, existing)
    by_split: dict[str, list[ExamOrder]] = defaultdict(list)
    rejects = []
    for summary in summaries:
        impression = joined.impressions.get(summary.study_uid)
        owner = owners[summary.study_uid]
        exam_id = rules.pseudonyms.of("study", summary.study_uid)
        patient_id, split = (
            rules.pseudonyms.of("patient", owner),
            given.get(owner) or split_of(rules, owner),
        )
        if exam_id in existing.exams:
            if existing.exams[exam_id] != (patient_id, split):
                raise ValueError(
                    "the new input joins patients that this build holds as different ones, or has "
                    "another --splits. Build everything anew with --overwrite."
                )
            rejects.append(Reject(Why.ALREADY_THERE, summary.study_uid))
            continue
        if impression is None and not rules.keep_unpaired:
            rejects.append(Reject(Why.NO_REPORT, summary.study_uid))
            continue
        date = date_of(summary.study_date)
        order = ExamOrder(
            plan=summary.plan,
            exam_id=exam_id,
            patient_id=patient_id,
            site=rules.site,
            days_since_first=(date - first_dates[owner]).days if date else -1,
            impression=impression or Impression("", ()),
        )
        by_split[split].append(order)
    return _shards(rules, by_split, existing), rejects


def _check_history(
    rules: Rules, summaries: list[ExamSummary], owners: dict[str, str], existing: Existing
) -> None:
    """An update must see all of a patient it adds to: days are counted from the first exam."""
    given: dict[str, set[str]] = defaultdict(set)
    dates: dict[str, list[tuple[datetime.date, bool]]] = defaultdict(list)
    for summary in summaries:
        exam = rules.pseudonyms.of("study", summary.study_uid)
        patient = rules.pseudonyms.of("patient", owners[summary.study_uid])
        given[patient].add(exam)
        if date := date_of(summary.study_date):
            dates[patient].append((date, exam in existing.exams))
    held: dict[str, set[str]] = defaultdict(set)
    for exam, (patient, _) in existing.exams.items():
        held[patient].add(exam)
    for patient, exams in held.items():
        new = given[patient] - exams
        if not new:
            continue
        if exams - given[patient]:
            raise ValueError(
                "the input lacks earlier exams of patients that it adds to. Give --dicom all of "
                "them, or build everything anew with --overwrite."
            )
        if dates[patient] and not min(dates[patient])[1]:
            raise ValueError(
                "the input holds exams from before the first ones of patients in this build. "
                "Build everything anew with --overwrite."
            )


def _shards(rules: Rules, by_split: dict[str, list[ExamOrder]], existing: Existing):
    orders = []
    for split in SPLITS:
        exams = sorted(by_split[split], key=lambda e: e.exam_id)
        new, old = -(-len(exams) // rules.exams_per_shard), existing.shards.get(split, 0)
        orders += [ShardOrder(split, old + i, old + new, tuple(exams[i::new])) for i in range(new)]
    return orders


def _first_dates(summaries: list[ExamSummary], owners: dict[str, str]) -> dict[str, datetime.date]:
    first: dict[str, datetime.date] = {}
    for summary in summaries:
        if date := date_of(summary.study_date):
            owner = owners[summary.study_uid]
            first[owner] = min(first.get(owner, date), date)
    return first


def _given_splits(joined: Joined, owners: dict[str, str]) -> dict[str, str]:
    """Splits of patients that labels tell in a column `split`: those of a set's authors.

    A ValueError where it is no split, or a patient is in two.
    """
    given: dict[str, str] = {}
    for study, row in joined.labels.items():
        split = row.get(SPLIT_COLUMN, "")
        if split not in ("", *SPLITS):
            raise ValueError(
                f"--labels: a split must be {', '.join(SPLITS)} or empty, and one is none of these."
            )
        if split and given.setdefault(owners[study], split) != split:
            raise ValueError("--labels: exams of one patient are in two splits.")
    return given


def split_of(rules: Rules, owner: str) -> str:
    """The split of a patient: a keyed hash, so it stays when other patients come and go."""
    at, edge = rules.pseudonyms.uniform("split", owner), 0.0
    for split, share in rules.splits.items():
        edge += share
        if at < edge:
            return split
    return list(rules.splits)[-1]


def date_of(text: str) -> datetime.date | None:
    """A DICOM date, None where it is none (`20120000` occurs)."""
    try:
        return datetime.datetime.strptime(text, "%Y%m%d").date()
    except ValueError:
        return None
