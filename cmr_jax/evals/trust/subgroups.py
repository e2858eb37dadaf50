"""For whom: the same findings within vendors, field strengths, sexes, ages and sites.

The gap between the best and the worst group is never zero, however fair a model is: beside it stands
the gap of groups of the same sizes that patients were dealt into at random.
"""

from typing import Any

import numpy as np

from cmr_jax.data.source import Exam
from cmr_jax.evals.answers import LEAST_LEARNED, Answers
from cmr_jax.evals.cohort import Cohort
from cmr_jax.evals.statistics import measures
from cmr_jax.evals.statistics.estimate import estimate
from cmr_jax.evals.statistics.measures import Measure
from cmr_jax.evals.statistics.resamples import Resamples
from cmr_jax.metrics import auc

DEALS = 200  # random groups
ATTRIBUTES = {  # names, and where an exam's record has them
    "vendor": "vendor",
    "field_strength": "field_strength_t",
    "sex": "sex",
    "age_band": "age_band",
    "site": "site",
}


def of_exams(exams: list[Exam]) -> dict[str, np.ndarray]:
    """The group of each exam by each attribute; "" where the header says nothing."""
    return {
        name: np.array([_word(getattr(exam, field)) for exam in exams])
        for name, field in ATTRIBUTES.items()
    }


def _word(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return f"{value:g} T" if value > 0 else ""


def evaluate(cohort: Cohort, scores: dict[str, np.ndarray], seed: int) -> dict[str, Any]:
    """Mean AUC in every group, over the findings that every group has enough of."""
    blocks = {}
    for name, group in of_exams(cohort.exams).items():
        findings = {
            f: Answers.of(cohort.labels.findings[f], scores[f])
            for f in scores
            if f in cohort.labels.findings
        }
        members, findings = _comparable(group, findings, cohort.resamples)
        if len(members) > 1:
            blocks[name] = _block(cohort, group, members, findings, seed)
    return blocks


def _comparable(
    group: np.ndarray, findings: dict[str, Answers], resamples: Resamples
) -> tuple[list[str], dict[str, Answers]]:
    """Groups in which some findings can be told, and the findings that all of them can tell."""
    able = {
        member: {
            f
            for f, a in findings.items()
            if _within(a, group == member).fewest(resamples) >= LEAST_LEARNED
        }
        for member in np.unique(group[group != ""]).tolist()
    }
    members = [member for member, told in able.items() if told]
    # The smallest groups tell least: without them more findings can be compared.
    while len(members) > 1 and not set.intersection(*(able[m] for m in members)):
        members.remove(min(members, key=lambda m: len(able[m])))
    shared = set.intersection(*(able[m] for m in members)) if members else set()
    return members, {f: a for f, a in findings.items() if f in shared}


def _within(answers: Answers, part: np.ndarray) -> Answers:
    kept = part[answers.rows]
    return Answers(*(x[kept] for x in answers))


def _mean_auc(findings: dict[str, Answers], part: np.ndarray) -> Measure:
    return measures.mean_of(_within(a, part).auc() for a in findings.values())


def _block(cohort, group, members, findings, seed) -> dict[str, Any]:
    resamples = cohort.resamples
    groups = {
        m: estimate(_mean_auc(findings, group == m), resamples).to_json(n=int((group == m).sum()))
        for m in members
    }
    value = {m: g["value"] for m, g in groups.items()}
    gap = max(value.values()) - min(value.values())
    dealt = _dealt(cohort, group, members, findings, seed)
    return {
        "findings": sorted(findings),
        "groups": groups,
        "worst": min(value, key=value.__getitem__),
        "gap": gap,
        "gap_by_luck": float(np.mean(dealt)) if len(dealt) else np.nan,
        "p": float((1 + (dealt >= gap).sum()) / (1 + len(dealt))) if len(dealt) else np.nan,
    }


def _dealt(cohort, group, members, findings, seed) -> np.ndarray:
    """Gaps where patients have each other's groups, finding by finding among those who have it and
    among those who have not: how common it is in each group stays as it is."""
    rng = np.random.default_rng(seed)
    gaps = []
    for _ in range(DEALS):
        dealt = {f: _deal(a, group, cohort.resamples, rng) for f, a in findings.items()}
        values = [
            np.mean([auc(a.positive[p], a.score[p]) for a, p in _parts(findings, dealt, m)])
            for m in members
        ]
        gaps.append(max(values) - min(values))
    found = np.array(gaps)
    return found[np.isfinite(found)]


def _parts(findings: dict[str, Answers], dealt: dict[str, np.ndarray], member: str):
    return [(a, dealt[f] == member) for f, a in findings.items()]


def _deal(answers: Answers, group: np.ndarray, resamples: Resamples, rng) -> np.ndarray:
    """A group for each exam of a finding; exams of one patient stay together."""
    _, first, owner = np.unique(answers.patients(resamples), return_index=True, return_inverse=True)
    has = np.bincount(owner, answers.positive) > 0
    own = group[answers.rows][first]
    other = own.copy()
    for side in (has, ~has):
        other[side] = rng.permutation(own[side])
    return other[owner]
