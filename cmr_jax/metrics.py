"""Retrieval and ranking metrics in plain numpy, with the chance level beside each."""

import numpy as np
from jaxtyping import Bool, Float, Int


def normalise(x: Float[np.ndarray, "*b e"]) -> Float[np.ndarray, "*b e"]:
    """Unit length; a zero vector stays zero."""
    x = x.astype(np.float64)
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)


def ranks(
    similarity: Float[np.ndarray, "q n"],
    owner: Int[np.ndarray, " q"] | None = None,
    ties: float = 0.5,
) -> Float[np.ndarray, " q"]:
    """How many candidates beat the right one (the diagonal, or candidate `owner` of each query).

    Ties count half, because a constant model must score as chance does.  (With `ties` 0, as in the
    published text-to-video metrics, a collapsed model finds everything at once.)
    """
    queries = np.arange(len(similarity))
    own = similarity[queries, queries if owner is None else owner][:, None]
    better = (similarity > own).sum(1)
    tied = (similarity == own).sum(1) - 1
    return better + ties * tied


def group_ranks(
    similarity: Float[np.ndarray, "n n"], group: Int[np.ndarray, " n"], ties: float = 0.5
) -> Float[np.ndarray, " n"]:
    """How many candidates beat the best right one, where all of a query's group are right.

    Queries and candidates are the same things, in one order: reports that say the same belong to
    each other's exams.
    """
    right = group[:, None] == group[None]
    best = np.where(right, similarity, -np.inf).max(1, keepdims=True)
    # What is no number is beaten by all: neither is it less, nor a tie.
    lost, tied = (((similarity < best) & ~right).sum(1), ((similarity == best) & ~right).sum(1))
    return (~right).sum(1) - lost - tied + ties * tied


def best_ranks(similarity: Float[np.ndarray, "q n"], ties: float = 0.5) -> Float[np.ndarray, " q"]:
    """Of queries with several right candidates each, the rank of the best one.

    Candidates are in the order of queries: query i owns the i-th of equal runs.
    """
    per = similarity.shape[1] // len(similarity)
    own = np.arange(similarity.shape[1]).reshape(-1, per).T
    return np.min([ranks(similarity, column, ties) for column in own], axis=0)


def recall_at(rank: Float[np.ndarray, " q"], k: int) -> Float[np.ndarray, " q"]:
    """1 where the right candidate is among the first k."""
    return (rank < k).astype(np.float64)


def auc(label: Bool[np.ndarray, " n"], score: Float[np.ndarray, " n"]) -> float:
    """Area under the ROC curve (Mann-Whitney, ties count half); NaN without both classes."""
    positives, negatives = int(label.sum()), int((~label).sum())
    if not positives or not negatives:
        return float("nan")
    order = average_ranks(score)
    return float((order[label].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def average_ranks(x: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Ranks from 1; equal values share their mean rank."""
    _, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]
