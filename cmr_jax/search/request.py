"""What people type as a query: understood, or refused, before anything that takes time is loaded."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np

from cmr_jax.search.asking import Vector, Wrong, beyond, checked, understood
from cmr_jax.search.filters import condition, nobody_has
from cmr_jax.search.index import KEY, Index, one_of

MOST = 1000  # hits


@dataclasses.dataclass(frozen=True)
class Query:
    """What is looked for; `where` is a condition on columns of the index."""

    words: str = ""
    like: Vector | None = None  # of unit length: of an exam
    but: str = ""  # an exam that is not to be found
    share: float = 0.5  # of the words, where both are given
    where: str = ""
    k: int = 10

    def __post_init__(self):
        if not 1 <= self.k <= MOST:
            raise Wrong(f"{self.k} hits: from 1 to {MOST}.")


def typed(
    index: Index,
    words: str,
    like: str = "",
    filters: Iterable[str] = (),
    k: int = Query.k,
    share: float = Query.share,
    beside: bool = False,
) -> Query:
    """What people type: words, an exam of the index ("": none), which is not found itself, and filters.
    Wrong where one of them is, and where there are neither words nor an exam, if none is to come `beside`
    them; no model is needed to say so."""
    where = condition(filters, index.about)
    vector = vector_of(index, like) if like else None
    words = checked(words) if words or not (like or beside) else ""
    return Query(words, vector, but=like, share=share, where=where, k=k)


def vector_of(index: Index, exam_id: str) -> Vector:
    """That of an exam of the index."""
    found = index.vectors(one_of(KEY, [exam_id]))
    if not len(found):
        raise Wrong(f"the index has no exam {exam_id!r}.")
    return found[0].astype(np.float64)


def explained(index: Index, words: str, filters: Iterable[str], hits: int) -> dict[str, Any]:
    """What was understood of the words, by finding, and what was not; and, where nothing was found, what
    nobody has."""
    return {
        "understood": understood(words),
        "by_likeness": beyond(words),
        "nobody_has": [] if hits else nobody_has(filters, index),
    }
