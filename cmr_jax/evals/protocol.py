"""The published evaluation and its repaired twin: one program, two sets of rules.

`published` does as the paper's code: 70 % and 30 % of rows at random, so that a patient may lie on
both sides; ties in favour of a text; few-shot support drawn with replacement; a probe with two
softmaxes.  `honest` splits by patient, shares ties, draws without replacement, and applies softmax
once.  Thresholds come from the 70 % in both, which makes them supervised, whatever they are called.
"""

import dataclasses
from typing import Any

import numpy as np
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from cmr_jax import metrics
from cmr_jax.evals import few_shot, operating, probe, questions
from cmr_jax.evals.zero_shot import Asked, EmbedTexts

TEST_SHARE, SPLIT_SEED = 0.3, 42
KS = (1, 5, 10, 50)
LEAST = 5  # exams with and without a finding, on either side of the split


@dataclasses.dataclass(frozen=True)
class Protocol:
    """What differs."""

    name: str
    by_patient: bool
    text_ties: float  # share of ties that beat the right exam when a text looks for it
    replacement: bool
    double_softmax: bool


PROTOCOLS = {
    p.name: p
    for p in (
        Protocol("published", False, 0.0, True, True),
        Protocol("honest", True, 0.5, False, False),
    )
}


def split(protocol: Protocol, patient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows to calibrate on, and rows to test on."""
    rows = np.arange(len(patient))
    if not protocol.by_patient:
        train, test = train_test_split(rows, test_size=TEST_SHARE, random_state=SPLIT_SEED)
        return np.asarray(train), np.asarray(test)
    splitter = GroupShuffleSplit(1, test_size=TEST_SHARE, random_state=SPLIT_SEED)
    return next(splitter.split(rows, groups=patient))


def retrieval(protocol: Protocol, similarity: np.ndarray) -> dict[str, dict[str, float]]:
    """Recalls in percent, median and mean rank both ways; similarity is (texts, exams), with as
    many texts of each exam, in its order."""
    texts, exams = similarity.shape
    owner = np.arange(texts) // (texts // exams)
    ways = {
        "t2v": metrics.ranks(similarity, owner, protocol.text_ties),
        "v2t": metrics.best_ranks(similarity.T),
    }
    return {way: _ranked(rank) for way, rank in ways.items()}


def _ranked(rank: np.ndarray) -> dict[str, float]:
    # A first place is one that nothing shares: half a rank is not rank 0.
    found = {f"R{k}": 100 * float((rank < k if k > 1 else rank == 0).mean()) for k in KS}
    product = found["R1"] * found["R5"] * found["R10"]
    return found | {
        "MedR": float(np.median(rank) + 1),
        "MeanR": float(rank.mean() + 1),
        "geometric_mean_R1-R5-R10": float(product ** (1 / 3)),
    }


def zero_shot(video: np.ndarray, embed_texts: EmbedTexts) -> dict[str, np.ndarray]:
    """Mean cosine of every exam with the published prompts of a finding."""
    return Asked(questions.read(questions.PUBLISHED), embed_texts).scores(video)


def at_cutoff(
    label: np.ndarray, score: np.ndarray, train: np.ndarray, test: np.ndarray
) -> dict[str, float]:
    """AUC on the test rows, and sensitivity and specificity at the training rows' threshold."""
    threshold = operating.cutoff(label[train], score[train])
    said, truth = score[test] > threshold, label[test]  # strictly above, as published
    return {
        "auc": metrics.auc(truth, score[test]),
        "threshold": threshold,
        "sensitivity": float(said[truth].mean()),
        "specificity": float((~said)[~truth].mean()),
        "n_test_positive": int(truth.sum()),
    }


def evaluate(
    protocol: Protocol,
    video: np.ndarray,
    text: np.ndarray,
    paired: np.ndarray,
    patient: np.ndarray,
    labels: dict[str, np.ndarray],
    embed_texts: EmbedTexts,
) -> dict[str, Any]:
    """Everything that the paper's tables hold, by one protocol.  Raw embeddings (n, e); `paired`
    are the rows with a report; labels per finding, of which those that are 0, 1 or NaN count."""
    similarity = metrics.normalise(text[paired]) @ metrics.normalise(video[paired]).T
    block: dict[str, Any] = {
        "protocol": protocol.name,
        "retrieval": retrieval(protocol, similarity),
    }
    block |= {"zero_shot": {}, "few_shot": {}, "supervised": {}}
    scores = zero_shot(video, embed_texts)
    for finding, values in labels.items():
        known = np.flatnonzero(~np.isnan(values))
        positive = values[known] > 0.5
        # A measurement is not a finding, however many of its values are small.
        if len(known) < 4 * LEAST or not np.isin(values[known], (0, 1)).all():
            continue
        train, test = split(protocol, patient[known])
        if min(side.sum() for p in (positive[train], positive[test]) for side in (p, ~p)) < LEAST:
            continue
        if finding in scores:
            block["zero_shot"][finding] = at_cutoff(positive, scores[finding][known], train, test)
        rows = video[known]
        given = (rows[train], positive[train] * 1, rows[test], positive[test] * 1)
        block["few_shot"][finding] = few_shot.evaluate(*given, protocol.replacement, SPLIT_SEED)
        block["supervised"][finding] = probe.evaluate(*given, protocol.double_softmax, SPLIT_SEED)
    return block
