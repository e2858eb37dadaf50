"""A worklist in order: the exams that most likely have any of some findings come first.

A probability is as good as the exams it was calibrated on are like these; what is unsure says so.
"""

import csv
import io
import json
from typing import Any, NamedTuple

import numpy as np

from cmr_jax.search.calibrated import Calibrated, Told, spoken


class Worklist(NamedTuple):
    """Exams in order, the likeliest first."""

    exam_ids: list[str]
    any_of_them: np.ndarray  # the probability that an exam has any, were they independent
    told: dict[str, Told]  # by finding, in the order of exams


def rank(
    exam_ids: list[str],
    scores: dict[str, np.ndarray],
    calibrated: dict[str, Calibrated],
    findings: list[str],
) -> Worklist:
    """By some findings, of which `scores` has those of every exam.  A ValueError where one was never
    calibrated."""
    missing = [f for f in findings if f not in calibrated]
    if missing or not findings:
        known = ", ".join(calibrated) or "none: run `calibrate` with labelled exams first"
        raise ValueError(f"not calibrated: {', '.join(missing) or 'any'}. Calibrated are {known}.")
    told = {f: calibrated[f](np.asarray(scores[f], np.float64)) for f in findings}
    likely = 1 - np.prod([1 - t.probability for t in told.values()], axis=0)
    order = np.argsort(-likely, kind="stable")
    in_order = {f: Told(*(column[order] for column in t)) for f, t in told.items()}
    return Worklist([exam_ids[i] for i in order], likely[order], in_order)


def rows(found: Worklist) -> list[dict[str, Any]]:
    """One of each exam, plain."""
    listed = []
    for i, exam_id in enumerate(found.exam_ids):
        row: dict[str, Any] = {
            "place": i + 1,
            "exam_id": exam_id,
            "any": round(float(found.any_of_them[i]), 4),
        }
        for finding, told in found.told.items():
            row[finding] = spoken(told.answer[i])
            for name in ("probability", "low", "high"):
                row[f"{finding}_{name}"] = round(float(getattr(told, name)[i]), 4)
        listed.append(row)
    return listed


def as_csv(found: Worklist) -> str:
    """With a header."""
    listed, out = rows(found), io.StringIO()
    names = list(listed[0]) if listed else ["place", "exam_id", "any"]
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(listed)
    return out.getvalue()


def as_json(found: Worklist) -> str:
    """A list of objects."""
    return json.dumps(rows(found), indent=1)
