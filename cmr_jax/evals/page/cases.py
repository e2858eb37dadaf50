"""Exams worth looking at: where the model is surest and right, surest and wrong, and says nothing."""

from typing import NamedTuple

import numpy as np

from cmr_jax.evals.study import Study

EACH = 3
SAID = 4  # findings in a caption
PROBABILITY, ANSWER = "probability_", "answer_"


class Case(NamedTuple):
    """One exam, and what to say of it."""

    row: int
    said: str


def choose(study: Study) -> dict[str, list[Case]]:
    """By kind of case; {} where nothing was calibrated."""
    likely, truth, answered = _known(study)
    if not likely.size:
        return {}
    # The surprise of each truth, in nats: what a proper score charges for it.
    surprise = -np.log(np.clip(np.where(truth == 1, likely, 1 - likely), 1e-6, 1))
    known = ~np.isnan(truth)
    mean = np.where(known, surprise, 0).sum(1) / np.maximum(known.sum(1), 1)
    order = np.argsort(mean, kind="stable")
    order = order[known[order].any(1)]
    has = (truth == 1).any(1)
    best = [row for row in order if has[row]][:EACH]
    silent = np.argsort(-(np.isnan(answered) & known).sum(1), kind="stable")[:EACH]
    kinds = {
        "Surest and right, of hearts with a finding": best,
        "Surest and wrong": order[::-1][:EACH],
        "Least answered": silent,
    }
    names = [n.removeprefix(PROBABILITY) for n in study.columns if n.startswith(PROBABILITY)]
    return {
        kind: [Case(int(r), _caption(names, likely[r], truth[r], answered[r])) for r in rows]
        for kind, rows in kinds.items()
    }


def _known(study: Study) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities, labels and answers, (n, findings)."""
    names = [n.removeprefix(PROBABILITY) for n in study.columns if n.startswith(PROBABILITY)]
    empty = np.zeros((len(study.cohort), 0))
    columns = (
        [study.columns[PROBABILITY + n] for n in names],
        [study.cohort.labels.findings[n] for n in names],
        [study.columns[ANSWER + n] for n in names],
    )
    likely, truth, answered = (np.stack(c, 1) if c else empty for c in columns)
    return likely, truth, answered


def _caption(names: list[str], likely, truth, answered) -> str:
    """The findings that matter most: those that are there, and those that it got most wrong."""
    weight = np.where(np.isnan(truth), -1, np.abs(likely - truth) + (truth == 1))
    lines = []
    for i in np.argsort(-weight, kind="stable")[:SAID]:
        so = "not known" if np.isnan(truth[i]) else "is there" if truth[i] == 1 else "is not"
        said = "no answer" if np.isnan(answered[i]) else "yes" if answered[i] else "no"
        lines.append(f"{names[i].replace('_', ' ')}: {likely[i]:.0%}, {said}; {so}")
    return "\n".join(lines)
