"""The passes over exams that trust needs: without each kind of picture, and without each piece."""

from typing import Any

import jax
import numpy as np

from cmr_jax.data.sites import Some
from cmr_jax.data.source import ExamSource
from cmr_jax.embedding import Model
from cmr_jax.evals.study import Study
from cmr_jax.evals.trust import attribution, missing
from cmr_jax.evals.zero_shot import Asked
from cmr_jax.types import Batch


def without_kinds(study: Study, model: Model, asked: Asked) -> dict[str, Any]:
    """What falls where each view, or kind of picture, is taken away from the exams that have it."""
    c = study.cohort
    source = ExamSource(c.path, c.split)
    scores, cut = {"": study.scores}, {}
    for kind in missing.KINDS:
        if any(kind.has(exam) for exam in c.exams):
            cut[kind.name] = c.with_video(model.videos(model.batches(source), kind))
            scores[kind.name] = asked.scores(cut[kind.name].video)
    return missing.evaluate(c, cut, scores, study.findings)


def carried(study: Study, model: Model, asked: Asked, seed: int) -> dict[str, Any]:
    """Which pictures carried each finding, checked by deletion."""
    c = study.cohort
    chosen = attribution.choose(c, study.scores, study.findings)
    rows = sorted({row for some in chosen.values() for row in some})
    if not rows:
        return {}
    source = Some(ExamSource(c.path, c.split), rows)
    batches = [_of_one(b, i) for b, real in model.batches(source) for i in range(real)]
    found = attribution.carried(rows, iter(batches), model.clips, asked.scores)
    by_row = {one.row: (one, batch) for one, batch in zip(found, batches, strict=True)}
    lost = {
        (finding, row): attribution.falls(*by_row[row], finding, model.clips, asked.scores, seed)
        for finding, some in chosen.items()
        for row in some
    }
    return attribution.evaluate(c, chosen, {row: one for row, (one, _) in by_row.items()}, lost)


def _of_one(batch: Batch, exam: int) -> Batch:
    return jax.tree.map(lambda x: np.asarray(x)[exam : exam + 1], batch)
