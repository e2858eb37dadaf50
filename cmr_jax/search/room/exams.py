"""Exams of an index as the room tells them: facts, stacks, findings, and what is like them."""

import functools
from typing import Any

import numpy as np

from cmr_jax.data.broken import BrokenRecord
from cmr_jax.data.source import Exam, ExamSource
from cmr_jax.search import calibrated, evidence
from cmr_jax.search.calibrated import Calibrated
from cmr_jax.search.index import EXAM, KEY, one_of
from cmr_jax.search.query import Query, Searcher
from cmr_jax.search.rows import FINDING, PLACE

SIMILAR = 6


class Absent(Exception):
    """There is none such."""


class Exams:
    """Reads exams by id; paths come from the index alone, never from who asks."""

    def __init__(self, searcher: Searcher, known: dict[str, Calibrated]):
        self.searcher, self._calibrated = searcher, known
        self.index = searcher.index

    def open(self, exam_id: str) -> tuple[ExamSource, Exam, int]:
        """Its source, itself, and its row there.  Absent where the index has none such."""
        return self._read(exam_id, self._row(exam_id, [*PLACE]))

    def _read(self, exam_id: str, row: dict[str, Any]) -> tuple[ExamSource, Exam, int]:
        source = _source(row["data"], row["split"])
        exam = source[row["row"]]
        if exam.exam_id != exam_id:
            raise BrokenRecord(f"{row['data']} has changed since it was indexed")
        return source, exam, row["row"]

    def tell(self, exam_id: str) -> dict[str, Any]:
        """Everything about one."""
        findings = [FINDING + name for name in self.index.about.findings]
        facts = ["patient_id", "site", "vendor", "sex", "age", "field_strength_t", "impression"]
        row = self._row(exam_id, [*facts, *findings, *PLACE, EXAM])
        _, exam, _ = self._read(exam_id, row)
        like = self.searcher(Query(like=np.array(row[EXAM]), but=exam_id, k=SIMILAR))
        return {
            KEY: exam_id,
            **{name: row[name] for name in facts},
            "stacks": [_stack(i, stack) for i, stack in enumerate(exam.stacks)],
            "findings": self._findings(row),
            "similar": [hit.to_json() for hit in like],
        }

    def frames(self, exam_id: str, stack: int, slice_index: int) -> np.ndarray:
        """One slice, uint8 (time, rows, columns).  Absent where there is none such."""
        source, exam, _ = self.open(exam_id)
        if not (0 <= stack < len(exam.stacks)):
            raise Absent("the exam has no such stack")
        if not 0 <= slice_index < len(exam.stacks[stack].slice_mm):
            raise Absent("the stack has no such slice")
        return source.frames(exam.stacks[stack], slice_index, exam_id)

    def evidence(self, exam_id: str, words: str) -> list[dict[str, Any]]:
        """Which slices carry what the words ask."""
        source, _, row = self.open(exam_id)
        asked = self.searcher.asker(words)
        found = evidence.of(self.searcher.model, source, row, asked.direction)
        return [one._asdict() for one in found]

    def _row(self, exam_id: str, columns: list[str]) -> dict[str, Any]:
        found = self.index.rows(one_of(KEY, [exam_id]), columns).to_pylist()
        if not found:
            raise Absent("the index has no such exam")
        return found[0]

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


@functools.lru_cache(maxsize=64)
def _source(data: str, split: str) -> ExamSource:
    return ExamSource(data, split)


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
