"""What a model must beat, and what must break it, or its score means something else.

Supervised baselines see the training labels, which the model never did: logistic regression on
header facts alone, and on the mean picture; the same regression on the model's embeddings is the
fair thing to compare them with.  Shuffled phases take the motion away
and leave every picture as it was.
"""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cmr_jax.data.source import Exam
from cmr_jax.evals.statistics import measures
from cmr_jax.evals.statistics.estimate import Estimate, estimate
from cmr_jax.evals.statistics.measures import Measure
from cmr_jax.evals.statistics.resamples import Resamples
from cmr_jax.schema import View
from cmr_jax.types import Batch

MEAN_FRAME_PIXELS = 16
# Findings that are seen in motion, at least in part.
MOTION_FINDINGS = ("lv_dysfunction", "rv_dysfunction")


def header_features(exams: list[Exam]) -> np.ndarray:
    """Who was scanned on what, and which stacks there are: everything but the pixels."""
    rows = []
    for exam in exams:
        age = exam.age_band[:2]
        views = [s.view for s in exam.stacks]
        rows.append(
            [
                float(exam.vendor == "Siemens"),
                float(exam.vendor == "GE"),
                exam.field_strength_t,
                float(exam.sex == "M"),
                float(age) if age.isdigit() else 55.0,
                len(exam.stacks),
                *(views.count(view) for view in (View.SAX, View.CH2, View.CH3, View.CH4)),
                np.mean([s.rr_ms for s in exam.stacks]),
                np.mean([len(s.slice_mm) for s in exam.stacks]),
            ]
        )
    return np.array(rows)


def mean_frames(batches) -> np.ndarray:
    """The mean over all frames of each exam, shrunk; batches are (Batch, real)."""
    rows = []
    for batch, real in batches:
        mask = batch.frame_mask[:real, :, None, None]
        video = batch.video[:real, ..., 0].astype(np.float32) * mask
        mean = video.sum(1) / np.maximum(mask.sum(1), 1)
        step = mean.shape[1] // MEAN_FRAME_PIXELS
        small = mean[:, : step * MEAN_FRAME_PIXELS, : step * MEAN_FRAME_PIXELS]
        small = small.reshape(real, MEAN_FRAME_PIXELS, step, MEAN_FRAME_PIXELS, step).mean((2, 4))
        rows.append(small.reshape(real, -1))
    return np.concatenate(rows)


def supervised_scores(
    train: np.ndarray, train_labels: dict[str, np.ndarray], test: np.ndarray, findings: list[str]
) -> dict[str, np.ndarray]:
    """Logistic regression per finding, fitted on training labels."""
    found = {}
    for name in findings:
        label = train_labels[name]
        known = ~np.isnan(label)
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
        model.fit(train[known], label[known] > 0.5)
        found[name] = model.decision_function(test)
    return found


def shuffle_phases(batch: Batch, seed: int = 0) -> Batch:
    """Every cine slice with its own pictures in a random order; times stay where they were."""
    rng = np.random.default_rng(seed)
    video = np.array(batch.video)
    c = batch.coordinates
    for exam in range(len(video)):
        moving = np.flatnonzero(np.asarray(c.is_cine)[exam] & np.asarray(batch.frame_mask)[exam])
        key = np.stack([np.asarray(c.stack)[exam, moving], np.asarray(c.slice_mm)[exam, moving]], 1)
        _, group = np.unique(key, axis=0, return_inverse=True)
        for one in range(group.max(initial=-1) + 1):
            members = moving[group.ravel() == one]
            video[exam, members] = video[exam, rng.permutation(members)]
    return batch._replace(video=video)


def motion_drop(score, shuffled, found, resamples: Resamples, findings) -> dict[str, float]:
    """How much AUC the findings of motion lose."""
    names = [f for f in MOTION_FINDINGS if f in findings]
    return ahead({n: score[n] for n in names}, shuffled, found, resamples)


def ahead(better, worse, found, resamples: Resamples) -> dict[str, float]:
    """By how much one mean AUC is above another, on the same patients in every draw."""
    known = {name: np.flatnonzero(~np.isnan(found[name])) for name in better}

    def mean_auc(scores: dict[str, np.ndarray]) -> Measure:
        return measures.mean_of(
            measures.among(rows, measures.auc(found[name][rows] > 0.5, scores[name][rows]))
            for name, rows in known.items()
        )

    if not known:
        return Estimate(*[float("nan")] * 3).to_json(chance=0.0)
    apart = measures.difference(mean_auc(better), mean_auc(worse))
    return estimate(apart, resamples).to_json(chance=0.0)
