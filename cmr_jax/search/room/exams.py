"""Exams of an index as the room tells them: facts, stacks, findings, and what is like them."""

from typing import Any

import numpy as np

from cmr_jax.search import calibrated, places
from cmr_jax.search.about import FINDING
from cmr_jax.search.calibrated import Calibrated
from cmr_jax.search.index import EXAM, KEY
from cmr_jax.search.places import Absent
from cmr_jax.search.query import Searcher
from cmr_jax.search.request import Query
from cmr_jax.search.room.measured import Measured
from cmr_jax.search.rows import PLACE

SIMILAR = 6


class Exams:
    """Reads exams by id."""

    def __init__(
        self,
        searcher: Searcher,
        known: dict[str, Calibrated],
        measured: Measured | None = None,
    ):
        self.searcher, self._calibrated, self._measured = searcher, known, measured
        self.index = searcher.index

    def tell(self, exam_id: str) -> dict[str, Any]:
        """Everything about one."""
        findings = [FINDING + name for name in self.index.about.findings]
        facts = ["patient_id", "site", "vendor", "sex", "age", "field_strength_t", "impression"]
        row = places.row_of(self.index, exam_id, [*facts, *findings, *PLACE, EXAM])
        exam = places.at(exam_id, row).exam
        like = self.searcher(Query(like=np.array(row[EXAM]), but=exam_id, k=SIMILAR))
        return {
            KEY: exam_id,
            **{name: row[name] for name in facts},
            "stacks": [_stack(i, stack) for i, stack in enumerate(exam.stacks)],
            "findings": self._findings(row),
            "similar": [hit.to_json() for hit in like],
            "measured": self._measured.tell(exam_id) if self._measured else None,
        }

    def contours(self, exam_id: str) -> bytes:
        """A PNG of the contours that were measured."""
        if self._measured is None:
            raise Absent("nothing was measured")
        return self._measured.contours(places.row_of(self.index, exam_id, [KEY])[KEY])

    def frames(self, exam_id: str, stack: int, slice_index: int) -> np.ndarray:
        """One slice, uint8 (time, rows, columns).  Absent where there is none such."""
        source, exam, _ = places.find(self.index, exam_id)
        if not (0 <= stack < len(exam.stacks)):
            raise Absent("the exam has no such stack")
        if not 0 <= slice_index < len(exam.stacks[stack].slice_mm):
            raise Absent("the stack has no such slice")
        return source.frames(exam.stacks[stack], slice_index, exam_id)

    def evidence(self, exam_id: str, words: str) -> list[dict[str, Any]]:
        """Which slices carry what the words ask."""
        _, found = self.searcher.evidence(exam_id, self.searcher.asker(words))
        return [one._asdict() for one in found]

    def _findings(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        """Those that are calibrated first, the likeliest of them first."""
        told = [self._finding(name, row[FINDING + name]) for name in self.index.about.findings]
        return sorted(told, key=lambda one: -one.get("probability", one["score"] - 10))

    def _finding(self, name: str, score: float) -> dict[str, Any]:
        found: dict[str, Any] = {"name": name, "score": score}
        if name not in self._calibrated:
            return found
        told = self._calibrated[name](np.array([score]))
        return found | {
            "probability": float(told.probability[0]),
            "low": float(told.low[0]),
            "high": float(told.high[0]),
            "answer": calibrated.spoken(told.answer[0]),
        }


def _stack(number: int, stack) -> dict[str, Any]:
    return {
        "number": number,
        "view": stack.view.name,
        "sequence": stack.sequence.name,
        "slices": len(stack.slice_mm),
        "slice_mm": list(stack.slice_mm),
        "phases": [len(phases) for phases in stack.phases],
        "rr_ms": stack.rr_ms,
        "spacing_mm": stack.spacing_mm,
        "is_cine": stack.is_cine,
    }
