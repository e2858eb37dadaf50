"""What must break a model, or its score means something else: its motion gone, its reports wrong."""

from typing import Any

import numpy as np

from cmr_jax.data.source import ExamSource
from cmr_jax.embedding import Model
from cmr_jax.evals import baselines, zero_shot
from cmr_jax.evals.answers import Answers
from cmr_jax.evals.baselines import Features
from cmr_jax.evals.statistics import measures
from cmr_jax.evals.statistics.estimate import Estimate, estimate
from cmr_jax.evals.statistics.measures import Measure
from cmr_jax.evals.statistics.resamples import Resamples
from cmr_jax.evals.study import Study
from cmr_jax.evals.zero_shot import Asked
from cmr_jax.types import Batch

# Findings that are seen in motion, at least in part.
MOTION_FINDINGS = ("lv_dysfunction", "rv_dysfunction")
PROBE = "embedding_probe"
# With training labels, which the model itself never saw: on its embeddings, and on less.
SUPERVISED = {
    PROBE: "logistic regression on the model's embeddings, supervised",
    "header_metadata": "logistic regression on header metadata, supervised",
    "mean_frame": "logistic regression on the mean frame, supervised",
}


def evaluate(
    study: Study,
    model: Model,
    asked: Asked,
    permuted: list[tuple[Model, Asked]],
    trained: Features | None,
    seed: int,
) -> dict[str, Any]:
    """Every control as a block of the same shape as the model's own findings; `permuted` are models
    trained on other patients' reports."""
    c, own = study.cohort, study.scores
    blocks: dict[str, Any] = {}

    def scored(name: str, what: str, *runs: dict[str, np.ndarray]) -> dict[str, Any]:
        found = zero_shot.evaluate(list(runs), c.labels.findings, c.resamples)
        blocks[name] = {"what": what} | found
        return blocks[name]

    source = ExamSource(c.path, c.split)
    shuffled = asked.scores(model.videos(model.batches(source), shuffle_phases))
    moved = scored("shuffled_phases", "the same model, phases of every cine shuffled", shuffled)
    moved["motion_auc_drop"] = motion_drop(own, shuffled, study)
    if permuted:
        runs = [a.scores(m.videos(m.batches(source))) for m, a in permuted]
        what = f"trained on reports permuted among patients, {len(runs)} runs"
        scored("permuted_reports", what, *runs)["runs"] = len(runs)
    noise = baselines.noise(len(c), asked.questions, seed)
    scored("noise", "random scores", noise)
    words = baselines.words_in_reports([e.impression for e in c.exams], asked.questions)
    scored("words_in_reports", "prompts' words searched in the reports (BM25), no pictures", words)
    if trained is None:
        return blocks
    tested = Features(model, c)
    inputs = {
        PROBE: (trained.embedding, tested.embedding),
        "header_metadata": (trained.header, tested.header),
        "mean_frame": (trained.mean_frame, tested.mean_frame),
    }
    supervised = {
        name: baselines.supervised_scores(known, trained.cohort, unseen, study.findings)
        for name, (known, unseen) in inputs.items()
    }
    asked_scores = {name: own[name] for name in study.findings}
    for name, scores in supervised.items():
        if not scores:
            continue
        block = scored(name, SUPERVISED[name], scores)
        if name != PROBE:
            truth = c.labels.findings
            block["behind_model"] = ahead(asked_scores, scores, truth, c.resamples)
            block["behind_embedding_probe"] = ahead(supervised[PROBE], scores, truth, c.resamples)
    return blocks


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


def motion_drop(
    score: dict[str, np.ndarray], shuffled: dict[str, np.ndarray], study: Study
) -> dict[str, Any]:
    """How much AUC the findings of motion lose."""
    names = [f for f in MOTION_FINDINGS if f in study.findings]
    c = study.cohort
    return ahead({n: score[n] for n in names}, shuffled, c.labels.findings, c.resamples)


def ahead(
    better: dict[str, np.ndarray],
    worse: dict[str, np.ndarray],
    findings: dict[str, np.ndarray],
    resamples: Resamples,
) -> dict[str, Any]:
    """By how much one mean AUC is above another, on the same patients in every draw; of the findings
    that both have."""
    shared = [name for name in better if name in worse]
    if not shared:
        return Estimate(*[float("nan")] * 3).to_json(chance=0.0)

    def mean_auc(scores: dict[str, np.ndarray]) -> Measure:
        return measures.mean_of(Answers.of(findings[n], scores[n]).auc() for n in shared)

    return estimate(measures.difference(mean_auc(better), mean_auc(worse)), resamples).to_json(
        chance=0.0
    )
