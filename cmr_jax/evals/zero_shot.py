"""Findings from words alone: how much nearer an exam is to "is there" than to "is not"."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from cmr_jax import metrics
from cmr_jax.evals.answers import LEAST_TESTED, Answers
from cmr_jax.evals.questions import Questions
from cmr_jax.evals.statistics import measures
from cmr_jax.evals.statistics.estimate import Estimate, estimate, interval_of_runs
from cmr_jax.evals.statistics.measures import Measure
from cmr_jax.evals.statistics.resamples import Resamples

EmbedTexts = Callable[[list[str]], np.ndarray]


class Wordings(NamedTuple):
    """Cosines of exams with each wording of both sides of a question."""

    present: Float[np.ndarray, "n p"]
    absent: Float[np.ndarray, "n a"]

    @property
    def score(self) -> Float[np.ndarray, " n"]:
        """Mean of the one side less mean of the other, in [-2, 2]."""
        against = self.absent.mean(1) if self.absent.shape[1] else 0.0
        return self.present.mean(1) - against

    def each(self) -> Float[np.ndarray, "n w"]:
        """The score, had there been but one wording of a side and all of the other."""
        score = self.score[:, None]
        one = self.present - self.present.mean(1, keepdims=True)
        other = (
            self.absent - self.absent.mean(1, keepdims=True) if self.absent.size else self.absent
        )
        return score + np.concatenate([one, -other], 1)


class Asked:
    """Questions as a model embeds them."""

    def __init__(self, questions: Questions, embed_texts: EmbedTexts):
        self.questions = questions
        texts = sorted({t for sides in questions.values() for side in sides for t in side})
        self._row = {text: i for i, text in enumerate(texts)}
        self._embedded = metrics.normalise(np.asarray(embed_texts(texts), np.float32))

    def wordings(self, video: Float[np.ndarray, "n e"]) -> dict[str, Wordings]:
        """Of every question; embeddings of any length."""
        cosine = metrics.normalise(video) @ self._embedded.T
        return {
            finding: Wordings(
                *(cosine[:, np.array([self._row[t] for t in side], int)] for side in sides)
            )
            for finding, sides in self.questions.items()
        }

    def scores(self, video: Float[np.ndarray, "n e"]) -> dict[str, np.ndarray]:
        """Of every exam for every question."""
        return {finding: w.score for finding, w in self.wordings(video).items()}


def evaluate(
    runs: list[dict[str, np.ndarray]], findings: dict[str, np.ndarray], resamples: Resamples
) -> dict[str, Any]:
    """AUC and average precision of each labelled finding, and the mean AUC, with 95 % intervals.

    Of one run they are over patients.  Of several, numbers are averaged and the interval is
    Student's t over the runs, whose number is small and whose differences are larger than those of
    patients.  Every finding with enough of both classes counts in the mean; rarer ones are listed as
    left out.
    """
    blocks: dict[str, Any] = {}
    left_out, every = {}, []
    for name in runs[0]:
        if name not in findings:
            continue
        answers = [Answers.of(findings[name], run[name]) for run in runs]
        positive = answers[0].positive
        if answers[0].fewest(resamples) < LEAST_TESTED:
            left_out[name] = int(positive.sum())
            continue
        aucs = [a.auc() for a in answers]
        every.append(aucs)
        precisions = [a.average_precision() for a in answers]
        blocks[name] = {
            "auc": _summary(aucs, resamples, chance=0.5),
            "auprc": _summary(precisions, resamples, chance=float(positive.mean())),
            "n_positive": int(positive.sum()),
            "n_known": len(positive),
        }
    if not blocks:
        return {"findings": {}, "left_out": left_out}
    mean = _summary(
        [measures.mean_of(aucs) for aucs in zip(*every, strict=True)], resamples, chance=0.5
    )
    return {"mean_auc": mean, "findings": blocks, "left_out": left_out}


def sensitivity(wordings: Wordings, label: np.ndarray, sides: tuple[tuple[str, ...], ...]) -> dict:
    """How much the AUC depends on which wording is chosen: each alone, against all of the other
    side."""
    texts = [text for side in sides for text in side]
    each = wordings.each()
    aucs = [
        metrics.auc(a.positive, a.score) for a in (Answers.of(label, column) for column in each.T)
    ]
    order = np.argsort(aucs)
    return {
        "n": len(texts),
        "auc_worst": float(aucs[order[0]]),
        "auc_best": float(aucs[order[-1]]),
        "auc_sd": float(np.std(aucs)),
        "worst": texts[order[0]],
        "best": texts[order[-1]],
    }


def _summary(runs: list[Measure], resamples: Resamples, chance: float) -> dict[str, float]:
    if len(runs) == 1:
        return estimate(runs[0], resamples).to_json(chance=chance)
    whole = np.array([resamples.everyone(measure) for measure in runs])
    low, high = np.clip(interval_of_runs(whole), 0.0, 1.0).tolist()
    return Estimate(float(whole.mean()), low, high).to_json(chance=chance)
