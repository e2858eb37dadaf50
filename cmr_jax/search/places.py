"""Exams of an index where their pictures lie: paths come from the index alone, never from who asks."""

import functools
from typing import Any, NamedTuple

from cmr_jax.data.broken import BrokenRecord
from cmr_jax.data.source import Exam, ExamSource
from cmr_jax.search.index import KEY, Index, one_of
from cmr_jax.search.rows import PLACE

OPEN = 64  # splits of prepared data at once


class Absent(ValueError):
    """There is none such."""


class Place(NamedTuple):
    """An exam, and the row of a source that it is."""

    source: ExamSource
    exam: Exam
    row: int


def row_of(index: Index, exam_id: str, columns: list[str]) -> dict[str, Any]:
    """Some columns of an exam.  Absent where the index has none such."""
    found = index.rows(one_of(KEY, [exam_id]), columns).to_pylist()
    if not found:
        raise Absent("the index has no such exam")
    return found[0]


def find(index: Index, exam_id: str) -> Place:
    """Absent where the index has none such; a BrokenRecord where its pictures cannot be read."""
    return at(exam_id, row_of(index, exam_id, [*PLACE]))


def at(exam_id: str, row: dict[str, Any]) -> Place:
    """By a row of the index that has been read already."""
    try:
        source = _source(row["data"], row["split"])
        exam = source[row["row"]]
    except (IndexError, ValueError) as error:
        raise BrokenRecord(f"{error} Was it moved? Index it again where it is now.") from None
    if exam.exam_id != exam_id:
        raise BrokenRecord(f"{row['data']} has changed since it was indexed. Index it again.")
    return Place(source, exam, row["row"])


@functools.lru_cache(maxsize=OPEN)
def _source(data: str, split: str) -> ExamSource:
    return ExamSource(data, split)
