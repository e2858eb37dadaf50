"""Several reports of one exam: which one is the text, and what becomes of the others."""

import dataclasses
import enum

from data_prep.folding import fold
from data_prep.read.reject import Reject, Why
from data_prep.reports.impression import amended, corrects, extract
from data_prep.reports.rows import moment


class State(enum.IntEnum):
    """How far a report is; of two, the higher one counts."""

    PRELIMINARY = 0
    FINAL = 1
    CORRECTED = 2
    ADDENDUM = 3  # not a version: it goes with one
    CANCELLED = 4  # nothing was reported here
    IN_ERROR = 5  # neither this report nor the ones before it are true


# HL7 table 0123 (OBR-25) and 0085 (OBX-11), FHIR R4 diagnostic-report-status, and words.
STATES = {
    State.PRELIMINARY: "o i s a p r registered partial preliminary prelim draft unsigned unverified "
    "dictated transcribed pending incomplete unapproved vorlaufig provisoire preliminar provisional",
    State.FINAL: "f final signed verified approved complete completed finalized validated unknown",
    State.CORRECTED: "c corrected amended appended revised modified updated corrige korrigiert",
    State.ADDENDUM: "addendum addended addenda supplement supplemental nachtrag additif",
    State.CANCELLED: "x cancelled canceled deleted aborted rejected storniert annule cancelado",
    State.IN_ERROR: "w d entered-in-error error in-error withdrawn retracted void voided",
}
STATE_OF = {word: state for state, words in STATES.items() for word in words.split()}
DROPPED = (State.CANCELLED, State.IN_ERROR)


@dataclasses.dataclass(frozen=True)
class Version:
    """A row that joined an exam, and its place among the rows."""

    row: dict[str, str]
    where: str
    number: int

    @property
    def state(self) -> State:
        """What its status says; a report without one is final."""
        words = fold(self.row.get("report_status", "")).replace("_", "-").strip(" .")
        for word in ("-".join(words.split()), *words.replace("-", " ").split()):
            if word in STATE_OF:
                return STATE_OF[word]
        return State.FINAL

    @property
    def age(self) -> tuple[str, int]:
        """Sorts from the oldest to the latest: by date, then by place."""
        row = self.row
        return moment(row.get("report_date", "")) or moment(row.get("study_date", "")), self.number


@dataclasses.dataclass(frozen=True)
class Settled:
    """The impression of an exam, not scrubbed; the version it is of; what became of the others."""

    text: str | None
    winner: Version | None
    rejects: list[Reject]


def settle(versions: list[Version]) -> Settled:
    """The latest of the furthest reports that has an impression, with the addenda to it.

    Every version but the winner is in the rejects, with its reason; where none wins, all are.
    """
    alive, rejects = _not_withdrawn(versions)
    reports = [v for v in alive if v.state is not State.ADDENDUM]
    addenda = [v for v in alive if v.state is State.ADDENDUM]
    text, winner = None, None
    # An addendum alone may hold the whole report.
    for group in (reports, addenda):
        for version in sorted(group, key=lambda v: (v.state, v.age), reverse=True):
            if winner:
                continue
            found = extract(version.row.get("report_text", ""))
            if isinstance(found, Why):
                rejects.append(Reject(found, version.where))
            else:
                text, winner = found, version
    tried = {r.where for r in rejects}
    for version in reports:
        if version is not winner and version.where not in tried:
            rejects.append(Reject(Why.SUPERSEDED, version.where))
    for version in sorted(addenda, key=lambda v: v.age):
        if version is winner or version.where in tried:
            continue
        text, detail = _with(text, version)
        rejects.append(Reject(Why.ADDENDUM, version.where, detail))
    return Settled(text, winner, rejects)


def _not_withdrawn(versions: list[Version]) -> tuple[list[Version], list[Reject]]:
    errors = [v.age for v in versions if v.state is State.IN_ERROR]
    alive = [
        v for v in versions if v.state not in DROPPED and v.age > max(errors, default=("", -1))
    ]
    gone = [v for v in versions if v not in alive]
    return alive, [Reject(Why.WITHDRAWN, v.where) for v in gone]


def _with(text: str | None, addendum: Version) -> tuple[str | None, str]:
    """The impression after an addendum, and what the addendum did."""
    words = addendum.row.get("report_text", "")
    added = extract(words)
    if text is None or isinstance(added, Why):
        return text, "without an impression of its own"
    replaces = corrects(words + addendum.row.get("report_status", ""))
    return amended(text, added, replaces), "replaced the impression" if replaces else "appended"
