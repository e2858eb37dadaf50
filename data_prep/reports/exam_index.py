"""Finds the exam that the keys of a row name; where they do not name one, it says why."""

import dataclasses
import datetime
from collections import defaultdict

from data_prep.exam.plan import ExamSummary
from data_prep.read.reject import Why
from data_prep.reports.rows import KEY_COLUMNS, SEPARATOR, canonical, day

# Clocks, time zones and midnight put the exam's date a day off.
DAYS_OFF = 1
# A report that names the patient alone and was written later is of another exam.
LATEST_REPORT_DAYS = 31


@dataclasses.dataclass(frozen=True)
class Found:
    """The exam of a row and what it was found by, or why none was."""

    study_uid: str = ""
    how: str = ""
    unknown: tuple[str, ...] = ()  # key columns of the row that no exam has
    why: Why | None = None


class ExamIndex:
    """Exams by their keys."""

    def __init__(self, summaries: list[ExamSummary]):
        self.summaries = {summary.study_uid: summary for summary in summaries}
        self.by_key: dict[str, dict[str, set[str]]] = {c: defaultdict(set) for c in KEY_COLUMNS}
        for summary in summaries:
            for column, value in zip(KEY_COLUMNS, _keys(summary), strict=True):
                if key := canonical(value):
                    self.by_key[column][key].add(summary.study_uid)

    def find(self, row: dict[str, str]) -> Found:
        """The one exam that every known key of the row agrees on.

        A study or an accession is enough.  The patient is enough where no other key of the row
        speaks against the exam, and of several exams the date tells.
        """
        given = {c: v for c in KEY_COLUMNS if (v := canonical(row.get(c, "")))}
        if not given:
            return Found(why=Why.NO_KEY)
        if row.get("any_key"):
            exams = self._by_name(given["accession_number"])
            given = dict.fromkeys(exams, given["accession_number"])
        else:
            exams = {c: e for c in given if (e := self._exams(c, given[c], row))}
        if not exams:
            return Found(why=Why.NO_EXAM)
        common = set.intersection(*exams.values())
        if not common:
            return Found(why=Why.KEY_CONFLICT)
        how = next(
            c for c in ("study_instance_uid", "accession_number", "patient_id") if c in exams
        )
        if how == "patient_id":
            common = {uid for uid in common if not _speaks_against(self.summaries[uid], given)}
            if not common or (len(common) == 1 and self._is_of_another_day(*common, row)):
                return Found(why=Why.NO_EXAM)
        if len(common) > 1:
            common, how = self._on_date(common, row), f"{how} and date"
        if len(common) != 1:
            return Found(why=Why.SEVERAL_EXAMS)
        return Found(common.pop(), how, tuple(c for c in given if c not in exams))

    def _exams(self, column: str, value: str, row: dict[str, str]) -> set[str]:
        values = [value]
        if column == "accession_number":
            values += [canonical(v) for v in row.get("other_numbers", "").split(SEPARATOR)]
        return {uid for v in values for uid in self.by_key[column].get(v, ())}

    def _by_name(self, name: str) -> dict[str, set[str]]:
        """A file's name may be any key; one that is two keys of two exams is a conflict."""
        return {c: set(e) for c in KEY_COLUMNS if (e := self.by_key[c].get(name))}

    def _is_of_another_day(self, uid: str, row: dict[str, str]) -> bool:
        """Whether a row's dates speak against the only exam of its patient."""
        date = self.summaries[uid].study_date
        studied = _days_between(date, row.get("study_date", ""))
        if studied is not None:
            return abs(studied) > DAYS_OFF
        written = _days_between(date, row.get("report_date", ""))
        return written is not None and not -DAYS_OFF <= written <= LATEST_REPORT_DAYS

    def _on_date(self, exams: set[str], row: dict[str, str]) -> set[str]:
        """Exams on the row's date, or else a day off; none where the row has no date."""
        for column, widest in (
            ("study_date", 0),
            ("study_date", DAYS_OFF),
            ("report_date", DAYS_OFF),
        ):
            found = set()
            for uid in exams:
                off = _days_between(self.summaries[uid].study_date, row.get(column, ""))
                if off is not None and abs(off) <= widest:
                    found.add(uid)
            if found:
                return found
        return set()


def _speaks_against(summary: ExamSummary, given: dict[str, str]) -> bool:
    """Whether a row found by its patient has another key, which is not this exam's."""
    other_accession = "accession_number" in given and bool(canonical(summary.accession))
    return "study_instance_uid" in given or other_accession


def _keys(summary: ExamSummary) -> tuple[str, str, str]:
    return summary.patient_id, summary.study_uid, summary.accession


def _days_between(exam: str, other: str) -> int | None:
    """Days from an exam's date to another; None where either is no date."""
    try:
        first, second = (datetime.date.fromisoformat(_iso(day(d))) for d in (exam, other))
    except ValueError:
        return None
    return (second - first).days


def _iso(digits: str) -> str:
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"
