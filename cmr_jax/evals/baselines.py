"""What a model must be compared with: who was scanned, the mean picture, words in reports, noise.

Supervised baselines see the training labels, which the model never did: logistic regression on
header facts alone, and on the mean picture; the same regression on the model's embeddings is the
fair thing to compare them with.  A search for the prompts' words in the reports themselves reads
what the model is not shown.
"""

import functools
import logging
from typing import cast

import bm25s
import numpy as np

from cmr_jax.data.source import Exam, ExamSource
from cmr_jax.embedding import Batches, Model
from cmr_jax.evals import supervised
from cmr_jax.evals.answers import LEAST_LEARNED, Answers
from cmr_jax.evals.cohort import Cohort
from cmr_jax.evals.questions import Questions
from cmr_jax.schema import View

logging.getLogger("bm25s").setLevel(logging.WARNING)  # it tells of every index

MEAN_FRAME_PIXELS = 16


class Features:
    """What a baseline may know of the exams of a cohort; each is made on first use, and once."""

    def __init__(self, model: Model, cohort: Cohort):
        self.model, self.cohort = model, cohort

    @property
    def embedding(self) -> np.ndarray:
        """What the model itself makes of them."""
        return self.cohort.video

    @functools.cached_property
    def header(self) -> np.ndarray:
        """Who was scanned on what."""
        return header_features(self.cohort.exams)

    @functools.cached_property
    def mean_frame(self) -> np.ndarray:
        """Their pictures are read for it."""
        source = ExamSource(self.cohort.path, self.cohort.split)
        return mean_frames(self.model.batches(source))


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


def mean_frames(batches: Batches) -> np.ndarray:
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
    known: np.ndarray, given: Cohort, unseen: np.ndarray, findings: list[str]
) -> dict[str, np.ndarray]:
    """Logistic regression per finding on features of the exams `given`; findings that are too rare
    among them are left out."""
    found = {}
    for name in (f for f in findings if f in given.labels.findings):
        answers = Answers.of(given.labels.findings[name], np.zeros(len(given)))
        if answers.fewest(given.resamples) >= LEAST_LEARNED:
            rows, patient = answers.rows, answers.patients(given.resamples)
            found[name] = supervised.logistic(known[rows], answers.positive, patient, unseen)
    return found


def words_in_reports(impressions: list[str], questions: Questions) -> dict[str, np.ndarray]:
    """How well each impression answers to the words of either side of a question: BM25 (Robertson
    1994, doi:10.1007/978-1-4471-2099-5_24)."""
    words = _words(impressions)
    if not any(words):
        return {name: np.zeros(len(impressions)) for name in questions}
    index = bm25s.BM25()
    index.index(words, show_progress=False)

    def side(texts: tuple[str, ...]) -> np.ndarray:
        if not texts:
            return np.zeros(len(impressions))
        return np.mean([index.get_scores(words) for words in _words(list(texts))], 0)

    return {name: side(q.present) - side(q.absent) for name, q in questions.items()}


def _words(texts: list[str]) -> list[list[str]]:
    """All of them: "no" is the word that matters most."""
    words = bm25s.tokenize(texts, stopwords=[], return_ids=False, show_progress=False)
    return cast(list[list[str]], words)


def noise(exams: int, questions: Questions, seed: int) -> dict[str, np.ndarray]:
    """Scores that know nothing."""
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=exams) for name in questions}
