"""Queries: words, another exam, or both; what is found, how sure, and which pictures carried it."""

import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Float

from cmr_jax import metrics
from cmr_jax.data.broken import BrokenRecord
from cmr_jax.data.source import Exam
from cmr_jax.embedding import Model
from cmr_jax.search import evidence, places
from cmr_jax.search.about import FINDING
from cmr_jax.search.asking import Asker, Vector, understood
from cmr_jax.search.evidence import Evidence
from cmr_jax.search.index import KEY, SCORE, Index, one_of
from cmr_jax.search.request import Query
from cmr_jax.wording.findings import Said
from cmr_jax.wording.rephrased import without_implied

SAMPLE = 10_000  # exams among which a percentile is told
# Of words whose findings have probabilities, so many of the nearest are put in the order of how likely all
# of it is; and what a standard deviation of nearness counts beside the logarithm of that.
WEIGHED, NEARNESS = 1000, 0.3
LEAST = 1e-9  # probability
log = logging.getLogger(__name__)
Likely = Mapping[str, Callable[[np.ndarray], np.ndarray]]  # by finding, of its scores in words


class Hit(NamedTuple):
    """One exam found."""

    exam_id: str
    score: float  # cosine with what was asked, -1 to 1
    percentile: float  # of the index's exams, how many in a hundred score lower
    carried: dict[str, float]  # the same score of each kind of picture alone
    facts: dict[str, Any]
    # That all findings which the words name are as asked, were they independent; of a calibrated index.
    probability: float | None = None
    slices: tuple[dict[str, Any], ...] = ()  # that carried most, where that was asked for

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        told = {name: getattr(self, name) for name in (KEY, SCORE, "percentile", "carried")}
        told |= {} if self.probability is None else {"probability": self.probability}
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
    """An open index, a model that may ask it, and what is known of the probabilities of findings."""

    def __init__(self, index: Index, model: Model, likely: Likely | None = None):
        self.index, self.model, self._likely = index, model, likely or {}
        self.asker = Asker(model.texts, index.about.questions)
        self._usual, self._drawn = np.zeros((0, index.about.width)), -1

    def direction(self, query: Query) -> Vector:
        """Of unit length.  Wrong where nothing is asked."""
        if query.like is None:
            return self.asker(query.words)
        if not query.words:
            return query.like
        words = self.asker(query.words)
        return metrics.normalise(query.share * words + (1 - query.share) * query.like)

    def __call__(self, query: Query) -> list[Hit]:
        """The best first."""
        direction = self.direction(query)
        usual = np.sort(self.usual() @ direction)
        named = {} if query.like is not None else without_implied(understood(query.words))
        columns = (KEY, *FACTS, *self.index.about.parts)
        if not named or named.keys() - self._likely.keys():
            # One more instead of a condition, which would have all exams looked through.
            k = query.k + bool(query.but)
            found = self.index.nearest(direction, k, query.where, columns)
            rows = [row for row in found.to_pylist() if row[KEY] != query.but][: query.k]
            return [self._hit(row, direction, usual) for row in rows]
        best = self._likeliest(query, direction, named, usual)
        facts = self.index.rows(one_of(KEY, best), list(columns)).to_pylist()
        rows = {row[KEY]: row | best[row[KEY]] for row in facts}
        return [self._hit(rows[exam], direction, usual) for exam in best if exam in rows]

    def _likeliest(
        self, query: Query, direction: Vector, named: Said, usual: np.ndarray
    ) -> dict[str, dict[str, float]]:
        """Of many near ones those that most likely are all that was asked, the likeliest first: score and
        probability by exam."""
        columns = (KEY, *(FINDING + name for name in named))
        near = self.index.nearest(direction, max(WEIGHED, query.k), query.where, columns)
        logs = np.sum([self._log(near, name, there) for name, there in named.items()], axis=0)
        score = near[SCORE].to_numpy()
        nearness = (score - usual.mean()) / (usual.std() or 1.0)
        order = np.argsort(-(logs + NEARNESS * nearness), kind="stable")[: query.k]
        ids = near[KEY].to_pylist()
        return {
            ids[i]: {SCORE: float(score[i]), "probability": float(np.exp(logs[i]))} for i in order
        }

    def _log(self, near: pa.Table, name: str, there: bool) -> np.ndarray:
        likely = self._likely[name](near[FINDING + name].to_numpy().astype(np.float64))
        return np.log(np.maximum(likely if there else 1 - likely, LEAST))

    def evidence(self, exam_id: str, direction: Vector) -> tuple[Exam, list[Evidence]]:
        """The exam, and what each slice carries of its score, by as many looks.  A BrokenRecord where its
        pictures cannot be read."""
        source, exam, row = places.find(self.index, exam_id)
        return exam, evidence.of(self.model, source, row, direction)

    def with_slices(self, hit: Hit, direction: Vector) -> Hit:
        """The hit, and which slices carried it.  Where its pictures cannot be read, the log says why."""
        try:
            exam, found = self.evidence(hit.exam_id, direction)
        except BrokenRecord as error:
            log.warning("%s: %s", hit.exam_id, error)
            return hit
        return hit._replace(slices=tuple(evidence.strongest(exam, found)))

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
        share = 100 * float(below)
        return Hit(row[KEY], score, share, carried, facts, row.get("probability"))
