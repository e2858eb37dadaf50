"""Queries: words, another exam, or both; what is found, how sure, and which pictures carried it."""

import dataclasses
import logging
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from cmr_jax import metrics
from cmr_jax.data.broken import BrokenRecord
from cmr_jax.embedding import Model
from cmr_jax.search import evidence, places
from cmr_jax.search.asking import Asker, Wrong
from cmr_jax.search.filters import condition
from cmr_jax.search.index import KEY, SCORE, Index, one_of

SAMPLE = 10_000  # exams among which a percentile is told
MOST = 1000  # hits
log = logging.getLogger(__name__)
Vector = Float[np.ndarray, " e"]


@dataclasses.dataclass(frozen=True)
class Query:
    """What is looked for; `where` is a condition on columns of the index."""

    words: str = ""
    like: Vector | None = None  # of unit length: of an exam
    but: str = ""  # an exam that is not to be found
    share: float = 0.5  # of the words, where both are given
    where: str = ""
    k: int = 10


class Hit(NamedTuple):
    """One exam found."""

    exam_id: str
    score: float  # cosine with what was asked, -1 to 1
    percentile: float  # of the index's exams, how many in a hundred score lower
    carried: dict[str, float]  # the same score of each kind of picture alone
    facts: dict[str, Any]
    slices: tuple[dict[str, Any], ...] = ()  # that carried most, where that was asked for

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        told = {name: getattr(self, name) for name in (KEY, SCORE, "percentile", "carried")}
        return told | self.facts | ({"slices": list(self.slices)} if self.slices else {})


FACTS = (
    "patient_id",
    "site",
    "vendor",
    "sex",
    "age",
    "pictures",
    "impression",
)


class Searcher:
    """An open index and a model that may ask it."""

    def __init__(self, index: Index, model: Model):
        self.index, self.model = index, model
        self.asker = Asker(model.texts, index.about.questions)
        self._usual, self._drawn = np.zeros((0, index.about.width)), -1

    def direction(self, query: Query) -> Vector:
        """Of unit length.  Wrong where nothing is asked."""
        if query.like is None:
            return self.asker(query.words).direction
        if not query.words:
            return query.like
        words = self.asker(query.words).direction
        return metrics.normalise(query.share * words + (1 - query.share) * query.like)

    def __call__(self, query: Query) -> list[Hit]:
        """The best first."""
        if not 1 <= query.k <= MOST:
            raise Wrong(f"{query.k} hits: from 1 to {MOST}.")
        direction = self.direction(query)
        # One more instead of a condition, which would have all exams looked through.
        found = self.index.nearest(
            direction,
            query.k + bool(query.but),
            query.where,
            (KEY, *FACTS, *self.index.about.parts),
        )
        usual = np.sort(self.usual() @ direction)
        kept = [row for row in found.to_pylist() if row[KEY] != query.but][: query.k]
        return [self._hit(row, direction, usual) for row in kept]

    def with_slices(self, hit: Hit, direction: Vector) -> Hit:
        """The hit, and which slices carried it, by as many looks at the exam.  Where its pictures cannot
        be read, the log says why."""
        try:
            source, exam, row = places.find(self.index, hit.exam_id)
        except BrokenRecord as error:
            log.warning("%s: %s", hit.exam_id, error)
            return hit
        found = evidence.of(self.model, source, row, direction)
        return hit._replace(slices=tuple(evidence.strongest(exam, found)))

    def query(
        self,
        words: str,
        like: str | Vector,
        filters: Iterable[str],
        k: int,
        share: float = Query.share,
    ) -> Query:
        """What people type: words, an exam of the index ("": none), which is not found itself, or the
        vector of another, and filters.  Wrong where one of them is."""
        but, vector = (like, None) if isinstance(like, str) else ("", like)
        if but:
            vector = self.vector_of(but)
        where = condition(filters, self.index.about)
        return Query(words, vector, but=but, share=share, where=where, k=k)

    def vector_of(self, exam_id: str) -> Vector:
        """That of an exam of the index."""
        found = self.index.vectors(one_of(KEY, [exam_id]))
        if not len(found):
            raise Wrong(f"the index has no exam {exam_id!r}.")
        return found[0].astype(np.float64)

    def usual(self) -> Float[np.ndarray, "n e"]:
        """Vectors of the index's exams, of many a part of them; drawn anew when it has changed."""
        if (version := self.index.version) != self._drawn:
            self._usual, self._drawn = self.index.sample(SAMPLE), version
        return self._usual

    def _hit(self, row: dict[str, Any], direction: Vector, usual: np.ndarray) -> Hit:
        score = float(row[SCORE])
        below = np.searchsorted(usual, score - 1e-6) / max(len(usual), 1)
        carried = {
            part: float(np.asarray(row[part]) @ direction)
            for part in self.index.about.parts
            if row[part] is not None
        }
        facts = {name: row[name] for name in FACTS}
        return Hit(row[KEY], score, 100 * float(below), carried, facts)
