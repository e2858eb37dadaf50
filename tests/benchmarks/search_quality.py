"""How good search is: `python tests/benchmarks/search_quality.py --index=INDEX --data=DATA`.

Of thirty questions (queries.toml) and of 120 more (questions.toml), the share of the first ten exams that
answer, by the labels of the phantom; beside chance, and beside the same words looked for in the impressions
(BM25).  Where the index is calibrated, also in the order of how likely all that was asked is.  Of each exam
as a question, how alike in labels and in ejection fraction the exams are that come first (nDCG at 10).
"""

import collections
import pathlib
import tomllib

import bm25s
import numpy as np
import timing
from absl import app, flags

from cmr_jax import weights
from cmr_jax.embedding import Embedder
from cmr_jax.evals import labels
from cmr_jax.evals.baselines import _words
from cmr_jax.search import calibrated
from cmr_jax.search.index import EXAM, KEY, Index
from cmr_jax.search.query import Searcher
from cmr_jax.search.request import Query

_INDEX = flags.DEFINE_string("index", None, "An index of exams.", required=True)
_DATA = flags.DEFINE_string("data", None, "Their data, which has labels.", required=True)
_SPLIT = flags.DEFINE_string("split", "test", "Of the exams that are searched.")
FILES = ("queries.toml", "questions.toml")
K = 10
EF, EF_APART = "lv_ef_percent", 20.0  # percent: as far apart as to be nothing alike


def main(_: list[str]) -> None:
    """Every question, and means."""
    index = Index(pathlib.Path(_INDEX.value))
    where = f"split = '{_SPLIT.value}'"
    rows = index.rows(where, [KEY, "impression", EXAM]).to_pydict()
    truth = labels.read(_DATA.value, rows[KEY])
    model = Embedder(weights.load(index.about.weights, weights.Options()), 32)
    known = calibrated.likely(calibrated.read(index.path).findings)
    searchers = {"ours": Searcher(index, model)}
    searchers |= {"likely": Searcher(index, model, known)} if known else {}
    words = bm25s.BM25()
    words.index(_words(rows["impression"]), show_progress=False)
    place = {exam: i for i, exam in enumerate(rows[KEY])}
    groups: dict[str, list[dict[str, float]]] = collections.defaultdict(list)
    for query in (q for file in FILES for q in _queries(file)):
        right = np.all([truth.findings[f] == there for f, there in query["right"].items()], 0)
        found = {}
        for name, searcher in searchers.items():
            hits = searcher(Query(query["words"], where=where, k=K))
            found[name] = float(np.mean([right[place[hit.exam_id]] for hit in hits]))
        scores = words.get_scores(_words([query["words"]])[0])
        best = np.argsort(-scores, kind="stable")[:K]
        found |= {"bm25": float(right[best].mean()), "chance": float(right.mean())}
        groups[query["group"]].append(found)
        timing.line(query["words"], **found)
    for group, values in groups.items():
        means = {name: float(np.mean([v[name] for v in values])) for name in values[0]}
        timing.line(group, n=len(values), **means)
    timing.line("similar exams", **alike(np.array(rows[EXAM]), truth))


def _queries(file: str) -> list[dict]:
    """Each with its group: those of the thirty are known by their words."""
    found = tomllib.loads(pathlib.Path(__file__).with_name(file).read_text())["query"]
    for query in found:
        words = "other words" if query.get("other_words") else "common words"
        query.setdefault("group", words)
    return found


def alike(vectors: np.ndarray, truth: labels.Labels) -> dict[str, float]:
    """nDCG at ten of each exam's nearest: by shared findings (Jaccard) and nearness of EF, halves."""
    table = np.stack(list(truth.findings.values()), 1) == 1
    both = table.astype(float) @ table.T
    either = table.sum(1)[:, None] + table.sum(1)[None] - both
    shared = np.where(either > 0, both / np.maximum(either, 1), 1.0)
    ef = truth.measurements[EF]
    near = np.clip(1 - np.abs(ef[:, None] - ef[None]) / EF_APART, 0, 1)
    gain = (shared + near) / 2
    np.fill_diagonal(gain, -1)

    def ndcg(score: np.ndarray) -> float:
        score = score.copy()
        np.fill_diagonal(score, -np.inf)
        discount = 1 / np.log2(np.arange(K) + 2)
        first = np.argsort(-score, 1)[:, :K]
        best = -np.sort(-gain, 1)[:, :K]
        return float(np.mean((np.take_along_axis(gain, first, 1) @ discount) / (best @ discount)))

    chance = np.random.default_rng(0).random(gain.shape)
    return {"ours": ndcg(vectors @ vectors.T), "chance": ndcg(chance)}


if __name__ == "__main__":
    app.run(main)
