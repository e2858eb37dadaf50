"""What a trained model says of every exam of a study."""

import dataclasses
from typing import Any

import numpy as np

from cmr_jax import weights
from cmr_jax.ablation import store
from cmr_jax.ablation.store import (
    FEW_SHOT,
    HELD_OUT,
    LABEL,
    PLACE,
    STRESSED,
    TEST,
    VAL,
    ZERO_SHOT,
    Columns,
    Scored,
)
from cmr_jax.data import published
from cmr_jax.data.source import ExamSource
from cmr_jax.data.texts import group_of
from cmr_jax.embedding import Embedder
from cmr_jax.evals import cohort, few_shot, ordering, questions, retrieval
from cmr_jax.evals.answers import Answers
from cmr_jax.evals.cohort import Cohort
from cmr_jax.evals.trust import missing
from cmr_jax.evals.zero_shot import Asked

SHOTS, EPISODES = 16, 20


@dataclasses.dataclass(frozen=True)
class Judged:
    """The data of a study: home, whose validation exams choose and whose test exams tell, and
    others by name."""

    home: str
    external: dict[str, str]

    def sets(self) -> list[tuple[str, str, str]]:
        """(name, path, split) of each set of exams."""
        others = [(name, path, TEST) for name, path in self.external.items()]
        return [(VAL, self.home, VAL), (TEST, self.home, TEST), *others]


def exams(data: Judged, model: Embedder) -> tuple[list[Cohort], Columns]:
    """The exams as the model embeds them, and what is true of them whoever is asked."""
    cohorts = [cohort.embed(model, *one, draws=1, seed=0) for one in data.sets()]
    columns: dict[str, list] = {"data": [], "exam_id": [], "patient_id": [], "complete": []}
    findings = cohorts[0].labels.findings
    columns |= {LABEL + name: [] for name in findings}
    for c in cohorts:
        columns["data"] += [c.name] * len(c)
        columns["exam_id"] += [e.exam_id for e in c.exams]
        columns["patient_id"] += [e.patient_id for e in c.exams]
        columns["complete"] += [published.is_complete(e) for e in c.exams]
        unknown = np.full(len(c), np.nan)
        for name in findings:
            values = c.labels.findings.get(name, unknown)
            columns[LABEL + name] += values.astype(np.float32).tolist()
    return cohorts, {name: np.array(values) for name, values in columns.items()}


def of_model(
    model: Embedder, cohorts: list[Cohort], home: str, whole: bool
) -> dict[str, list[np.ndarray]]:
    """Scores of every exam, cohort by cohort: by name, one array a cohort."""
    asked = {ZERO_SHOT: Asked(questions.read(questions.REPORTS), model.texts)}
    if whole:
        asked[HELD_OUT] = Asked(questions.read(questions.HELD_OUT), model.texts)
    found: dict[str, list[np.ndarray]] = {}

    def add(name: str, values: np.ndarray) -> None:
        found.setdefault(name, []).append(values)

    known = cohort.embed(model, "train", home, "train", draws=1, seed=0) if whole else None
    for c in cohorts:
        for kind, questions_ in asked.items():
            for finding, score in questions_.scores(c.video).items():
                add(f"{kind}_{finding}", score)
        for way, rank in _ranks(c).items():
            add(PLACE + way, rank)
        if known is not None:
            for finding, score in _few(known, c).items():
                add(f"{FEW_SHOT}_{finding}", score)
            for finding, score in asked[ZERO_SHOT].scores(_stressed(model, c)).items():
                add(f"{STRESSED}_{finding}", score)
    return found


def _ranks(c: Cohort) -> dict[str, np.ndarray]:
    """Where the first exam or report with the right words stands, less one: of normal hearts many
    read alike, and each is as right as the other."""
    group = np.array([group_of(e.impression) for e in c.exams])
    right = group[:, None] == group[None]
    similarity = c.text @ c.video.T
    both = zip(retrieval.WAYS, (similarity, similarity.T), strict=True)
    return {way: ordering.first_hit(s, right).before for way, s in both}


def _few(known: Cohort, c: Cohort) -> dict[str, np.ndarray]:
    """Nearness to prototypes of sixteen exams of either kind, as the mean over draws of them."""
    found = {}
    for finding, label in known.labels.findings.items():
        answers = Answers.of(label, np.zeros(len(label)))
        members = [answers.rows[answers.positive == side] for side in (False, True)]
        if min(map(len, members)) < SHOTS:
            continue
        supports = (few_shot.drawn(members, SHOTS, 0, episode) for episode in range(EPISODES))
        found[finding] = np.sum([few_shot.nearness(known.video[s], c.video) for s in supports], 0)
    return found


def _stressed(model: Embedder, c: Cohort) -> np.ndarray:
    """The exams where each has lost a view, or a kind of picture: by chance which, the same for
    every model."""
    lost = np.random.default_rng(0).integers(len(missing.KINDS), size=len(c))
    made, at = [], 0
    for batch, real in model.batches(ExamSource(c.path, c.split)):
        kinds = np.resize(lost[at : at + real], len(batch.video))
        cut = [kind(batch).frame_mask for kind in missing.KINDS]
        mask = np.stack(cut)[kinds, np.arange(len(kinds))]
        made.append(model.video(batch._replace(frame_mask=mask))[:real])
        at += real
    return np.concatenate(made)


def score(path: str, data: Judged, whole: bool, about: dict[str, Any]) -> tuple[Columns, Scored]:
    """The exams, and what the weights at `path` say of them."""
    model = Embedder(weights.load(path))
    cohorts, found = exams(data, model)
    scores = of_model(model, cohorts, data.home, whole)
    columns = {n: store.places(np.concatenate(v), found["data"]) for n, v in scores.items()}
    return found, Scored(columns, about)
