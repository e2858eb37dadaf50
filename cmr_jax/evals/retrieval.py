"""Does a report find its exam, and an exam its report, among all of the split?"""

from typing import Any

import numpy as np

from cmr_jax import metrics

KS = (1, 5, 10, 50)


def evaluate(
    video: np.ndarray, text: np.ndarray, draws: list[np.ndarray]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Recall at k and median rank both ways with intervals; and the rank of every exam.

    video, text: raw (n, e), row i of each belong together.  Bootstrap draws resample queries;
    the candidates stay the whole split.
    """
    similarity = metrics.normalise(text) @ metrics.normalise(video).T
    blocks, per_exam = {}, {}
    for name, scores in (("report_to_exam", similarity), ("exam_to_report", similarity.T)):
        rank = metrics.ranks(scores)
        blocks[name] = _summary(rank, len(rank), draws)
        per_exam[f"rank_{name}"] = rank + 1
    return blocks, per_exam


def _summary(rank: np.ndarray, n: int, draws: list[np.ndarray]) -> dict[str, Any]:
    block: dict[str, Any] = {}
    for k in KS:
        hits = metrics.recall_at(rank, k)
        low, high = metrics.interval(np.array([hits[d].mean() for d in draws]))
        block[f"R@{k}"] = {
            "value": float(hits.mean()),
            "low": low,
            "high": high,
            "chance": min(k / n, 1.0),
        }
    low, high = metrics.interval(np.array([np.median(rank[d]) + 1 for d in draws]))
    block["MedR"] = {
        "value": float(np.median(rank) + 1),
        "low": low,
        "high": high,
        "chance": (n + 1) / 2,
    }
    return block
