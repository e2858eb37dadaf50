"""One walk over the shards: what they hold, in numbers.  Nothing here comes from a header."""

import dataclasses
import hashlib
import heapq
import math
import re
import unicodedata
from collections import Counter, defaultdict
from typing import NamedTuple

from cmr_jax.schema import SPLITS, Sequence, View
from data_prep.qc.shards import Exam, Shards

UNSURE = 0.5  # a stack below this confidence is worth a look
UNKNOWN = "unknown"
# Placeholders the text scrub leaves.  Other words in brackets are text, and text is not shown.
PLACEHOLDER = re.compile(r"\[(NAME|DATE|TIME|ID|PHONE|EMAIL|AGE|PLACE|URL|ADDRESS)\]")


@dataclasses.dataclass
class Kind:
    """The stacks of one view and sequence."""

    stacks: int = 0
    confidence: float = 0.0  # sum over the stacks
    unsure: int = 0
    exams: int = 0

    @property
    def mean_confidence(self) -> float:
        """Mean over the stacks."""
        return self.confidence / self.stacks


@dataclasses.dataclass
class Balance:
    """One split: who is in it."""

    exams: int = 0
    patients: set[str] = dataclasses.field(default_factory=set)
    facts: Counter = dataclasses.field(default_factory=Counter)  # (fact, value) -> exams


class Doubt(NamedTuple):
    """The least sure stack of an exam, and where it is."""

    confidence: float
    exam_id: str
    split: str
    index: int
    stack: int


@dataclasses.dataclass
class Survey:
    """What the shards hold."""

    splits: dict[str, Balance] = dataclasses.field(default_factory=dict)
    kinds: dict[tuple[View, Sequence], Kind] = dataclasses.field(default_factory=dict)
    # Values of one measure -> how many stacks or exams have it.
    measures: dict[str, Counter] = dataclasses.field(default_factory=lambda: defaultdict(Counter))
    removed: Counter = dataclasses.field(default_factory=Counter)  # placeholders in impressions
    scrubbed: int = 0  # impressions with a placeholder
    without_report: int = 0
    without_sax_cine: int = 0
    images: int = 0
    # Normal form of an impression -> exams of each split.
    texts: dict[bytes, Counter] = dataclasses.field(default_factory=dict)
    doubts: list[Doubt] = dataclasses.field(default_factory=list)  # one for every exam

    @property
    def exams(self) -> int:
        """All exams."""
        return sum(b.exams for b in self.splits.values())

    @property
    def patients(self) -> int:
        """All patients."""
        return len(set().union(*(b.patients for b in self.splits.values())))

    @property
    def sharing(self) -> str:
        """Whether splits share patients, in words."""
        shared = sum(len(b.patients) for b in self.splits.values()) - self.patients
        return f"{shared} patients are in two splits." if shared else "Splits share no patient."

    @property
    def stacks(self) -> int:
        """All stacks."""
        return sum(k.stacks for k in self.kinds.values())

    @property
    def unsure(self) -> int:
        """Stacks below the confidence that is worth a look."""
        return sum(k.unsure for k in self.kinds.values())

    @property
    def reports(self) -> int:
        """Exams with an impression."""
        return self.exams - self.without_report

    @property
    def alike(self) -> int:
        """Exams whose impression reads like another exam's."""
        return sum(n for c in self.texts.values() if (n := c.total()) > 1)

    def seen_in_training(self, split: str) -> int:
        """Exams of a split whose impression reads like one of train."""
        return sum(c[split] for c in self.texts.values() if c["train"])

    def least_sure(self, count: int) -> list[Doubt]:
        """The exams with the least sure stacks, one stack each."""
        return heapq.nsmallest(count, self.doubts)


def survey(shards: Shards) -> Survey:
    """Walks over every exam once."""
    found = Survey({split: Balance() for split in SPLITS if split in shards.splits})
    for exam in shards:
        _who(exam, found.splits[exam.split])
        _stacks(exam, found)
        _report(exam, found)
    return found


def reads_as(impression: str) -> bytes:
    """A hash of the words alone: texts that differ in numbers, case or punctuation read alike."""
    text = unicodedata.normalize("NFKC", impression).casefold()
    words = re.findall(r"[^\W\d_]+", text)
    return hashlib.sha256(" ".join(words).encode()).digest()[:16]


def _who(exam: Exam, balance: Balance) -> None:
    balance.exams += 1
    balance.patients.add(exam.patient_id)
    strength = exam.field_strength_t
    known = math.isfinite(strength) and strength > 0
    for fact, value in (
        ("sex", exam.sex),
        ("age band", exam.age_band),
        ("vendor", exam.vendor),
        ("field strength", f"{strength:.1f} T" if known else ""),
    ):
        balance.facts[fact, value or UNKNOWN] += 1


def _stacks(exam: Exam, found: Survey) -> None:
    kinds = set()
    for stack in exam.stacks:
        kind = found.kinds.setdefault((stack.view, stack.sequence), Kind())
        kind.stacks += 1
        kind.confidence += stack.confidence
        kind.unsure += stack.confidence < UNSURE
        kinds.add((stack.view, stack.sequence))
        phases = max(map(len, stack.phases), default=0)
        found.images += sum(map(len, stack.phases))
        found.measures["spacing"][round(stack.spacing_mm, 2)] += 1
        found.measures["slices"][len(stack.slice_mm)] += 1
        found.measures["phases"][phases] += 1
        if stack.is_cine and math.isfinite(stack.rr_ms) and stack.rr_ms > 0:
            found.measures["rr"][round(stack.rr_ms)] += 1
    for key in kinds:
        found.kinds[key].exams += 1
    found.without_sax_cine += (View.SAX, Sequence.CINE) not in kinds
    if exam.stacks:
        confidence, at = min((s.confidence, i) for i, s in enumerate(exam.stacks))
        found.doubts.append(Doubt(confidence, exam.exam_id, exam.split, exam.index, at))


def _report(exam: Exam, found: Survey) -> None:
    if not exam.impression:
        found.without_report += 1
        return
    found.measures["words"][len(exam.impression.split())] += 1
    found.measures["sentences"][exam.sentences] += 1
    removed = PLACEHOLDER.findall(exam.impression)
    found.removed.update(removed)
    found.scrubbed += bool(removed)
    found.texts.setdefault(reads_as(exam.impression), Counter())[exam.split] += 1
