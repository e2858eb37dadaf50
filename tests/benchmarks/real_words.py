"""Asks an embedding model about real exams: zero-shot findings from words, few-shot classes, linear probes.

    python -m data_prep.build --dicom acdc:DIR --site acdc --out DATA
    python tests/benchmarks/real_words.py --weights=EXPORT --data=DATA [--data=DATA2 ...] [--prompts=reports]

One table for each set, with 95 % intervals over patients: AUC of every labelled finding that the prompts ask
for; AUC of a logistic regression on the embedding, cross-validated by patient; and beside them what needs
no heart: the same regression on the exam's geometry, on its brightness, and on height, weight, age and sex where
they are known.  Accuracy of the nearest prototype from a few exams of each diagnosis follows.
"""

import argparse
import sys

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cmr_jax import weights
from cmr_jax.data import shards
from cmr_jax.data.source import Exam, ExamSource
from cmr_jax.embedding import Embedder
from cmr_jax.evals import few_shot, labels, questions
from cmr_jax.evals.statistics import measures
from cmr_jax.evals.statistics.estimate import estimate
from cmr_jax.evals.statistics.resamples import Resamples
from cmr_jax.evals.zero_shot import Asked

SHOTS = (1, 4)
EPISODES = 100
FOLDS = 5
LEAST = 4  # exams of either side
# Findings that follow from numbers of the labels, by the limits of cmr_jax/measure/findings.py.
LIMITS = {"lv_dilation": ("lv_edv_ml", 200.0, 1), "rv_dysfunction": ("rv_ef_percent", 45.0, -1)}
BODY = ("height_cm", "weight_kg", "age", "male")


def exams_of(data: str, embedder: Embedder) -> tuple[list[Exam], np.ndarray, np.ndarray]:
    """All exams of all splits, their embeddings, and features of geometry and brightness."""
    exams, embedded, plain = [], [], []
    for split in shards.splits_of(data):
        found = embedder.exams(data, split)
        exams += found.exams
        embedded.append(found.video)
        source = ExamSource(data, split)
        plain += [[*_geometry(e), *_brightness(source, e)] for e in found.exams]
    return exams, np.concatenate(embedded), np.array(plain)


def _geometry(exam: Exam) -> list[float]:
    stacks = exam.stacks
    return [
        len(stacks),
        max(len(s.slice_mm) for s in stacks),
        float(np.mean([s.spacing_mm for s in stacks])),
        float(np.ptp(np.concatenate([s.slice_mm for s in stacks]))),
    ]


def _brightness(source: ExamSource, exam: Exam) -> list[float]:
    frames = source.frames(exam.stacks[0], len(exam.stacks[0].slice_mm) // 2, exam.exam_id)
    return [float(frames.mean()), float(frames.std()), float((frames == 0).mean())]


def probe(features: np.ndarray, positive: np.ndarray, patients: list[str]) -> np.ndarray:
    """Cross-validated probabilities; a patient's exams are in one fold."""
    folds = GroupKFold(min(FOLDS, len(set(patients))))
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    return cross_val_predict(
        model, features, positive, groups=patients, cv=folds, method="predict_proba"
    )[:, 1]


def few(embedded: np.ndarray, classes: np.ndarray, shots: int) -> tuple[float, float, float]:
    """Mean accuracy over episodes, and where 95 % of the episodes lie."""
    names = sorted(set(classes) - {""})
    members = [np.flatnonzero(classes == n) for n in names]
    accuracies = []
    for episode in range(EPISODES):
        chosen = few_shot.drawn(members, shots, 0, episode)
        rest = np.setdiff1d(np.concatenate(members), chosen.ravel())
        away = few_shot.distances(embedded[chosen], embedded[rest])
        right = np.array([names[i] for i in away.argmin(1)]) == classes[rest]
        # Each class counts alike.
        accuracies.append(np.mean([right[classes[rest] == n].mean() for n in names]))
    low, high = np.quantile(accuracies, [0.025, 0.975])
    return float(np.mean(accuracies)), float(low), float(high)


def table(data: str, embedder: Embedder, prompts: str) -> list[str]:
    """Lines of Markdown."""
    exams, embedded, plain = exams_of(data, embedder)
    known = labels.read(data, [e.exam_id for e in exams])
    patients = [e.patient_id for e in exams]
    truth = dict(known.findings)
    for name, (number, limit, sign) in LIMITS.items():
        if number in known.measurements and name not in truth:
            value = known.measurements[number]
            truth[name] = np.where(np.isfinite(value), sign * (value - limit) > 0, np.nan)
    asked = Asked(questions.read(prompts), embedder.texts).scores(embedded)
    floors = {"geometry": plain[:, :4], "brightness": plain[:, 4:]}
    body = [known.measurements.get(n, known.findings.get(n)) for n in BODY]
    if kept := [b for b in body if b is not None and np.isfinite(b).all()]:
        floors["body"] = np.stack(kept, 1)
    lines = [f"## {len(exams)} exams", "", "| finding | positive | from words | probe | "
             + " | ".join(f"floor: {f}" for f in floors) + " |"]  # fmt: skip
    lines.append("| --- " * (4 + len(floors)) + "|")
    for name, value in truth.items():
        rows = np.flatnonzero(np.isfinite(value))
        positive = value[rows] > 0.5
        if not LEAST <= positive.sum() <= len(positive) - LEAST:
            continue
        own = [patients[i] for i in rows]
        scores = {"words": asked[name][rows] if name in asked else None}
        scores["probe"] = probe(embedded[rows], positive, own)
        scores |= {f: probe(x[rows], positive, own) for f, x in floors.items()}
        cells = [name, str(int(positive.sum()))]
        for score in scores.values():
            if score is None:
                cells.append("-")
                continue
            found = estimate(measures.auc(positive, score), Resamples(np.array(own)))
            cells.append(f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})")
        lines.append("| " + " | ".join(cells) + " |")
    classes = known.classes.get("diagnosis")
    if classes is not None and min(np.unique(classes, return_counts=True)[1]) > max(SHOTS):
        chance = 1 / len(set(classes) - {""})
        lines.append("")
        for shots in SHOTS:
            mean, low, high = few(embedded, classes, shots)
            lines.append(
                f"{shots} exam(s) of each diagnosis: balanced accuracy {mean:.2f} "
                f"({low:.2f} to {high:.2f} over episodes), chance {chance:.2f}."
            )
    return [*lines, ""]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--weights", required=True)
    parser.add_argument("--data", action="append", required=True)
    parser.add_argument("--prompts", default=questions.REPORTS)
    args = parser.parse_args()
    embedder = Embedder(weights.load(args.weights, weights.Options()), 16)
    for data in args.data:
        print("\n".join(table(data, embedder, args.prompts)), flush=True)


if __name__ == "__main__":
    sys.exit(main())
