"""A worklist in order: the exams of which most is to be expected, of some findings, come first.

A probability is as good as the exams it was calibrated on are like these; what is unsure says so.
"""

import csv
import io
import json
import logging
from typing import Any, NamedTuple

import numpy as np

from cmr_jax.search.about import FINDING
from cmr_jax.search.calibrated import Calibrated, Learned, Told, spoken
from cmr_jax.search.filters import condition, nobody_has
from cmr_jax.search.index import KEY, Index
from cmr_jax.search.rows import WHO, Scored

log = logging.getLogger(__name__)


class Worklist(NamedTuple):
    """Exams in order."""

    exam_ids: list[str]
    who: list[dict]  # facts of each
    expected: np.ndarray  # how many of the findings: the sum of their probabilities, the most first
    told: dict[str, Told]  # by finding, in the order of exams


def rank(
    scored: Scored,
    calibrated: dict[str, Calibrated],
    findings: list[str],
    most: int | None = None,
) -> Worklist:
    """By some findings; the first exams alone, if there is a limit.  A ValueError where a finding was never
    calibrated."""
    check(findings, calibrated)
    told = {f: calibrated[f](np.asarray(scored.scores[f], np.float64)) for f in findings}
    expected = np.sum([t.probability for t in told.values()], axis=0)
    order = np.argsort(-expected, kind="stable")[:most]
    in_order = {f: Told(*(column[order] for column in t)) for f, t in told.items()}
    ids, who = ([column[i] for i in order] for column in (scored.exam_ids, scored.who))
    return Worklist(ids, who, expected[order], in_order)


def check(findings: list[str], calibrated: dict[str, Calibrated]) -> None:
    """A ValueError where one of them was never calibrated, or there are none."""
    missing = [f for f in findings if f not in calibrated]
    if missing or not findings:
        known = ", ".join(calibrated) or "none: run `calibrate` with labelled exams first"
        raise ValueError(f"not calibrated: {', '.join(missing) or 'any'}. Calibrated are {known}.")


def of_index(index: Index, filters: list[str]) -> Scored:
    """The exams that pass some filters.  A ValueError where there are none."""
    columns = {f: FINDING + f for f in index.about.findings}
    found = index.rows(condition(filters, index.about), [KEY, *WHO, *columns.values()])
    if not len(found):
        raise ValueError("; ".join(nobody_has(filters, index)) or "no exam passes the filters.")
    scores = {f: found[column].to_numpy() for f, column in columns.items()}
    return Scored(found[KEY].to_pylist(), found.select(WHO).to_pylist(), scores, 0)


def warn(scored: Scored, learned: Learned) -> None:
    """Says which exams are of sites that taught nothing of the probabilities, and what is left out."""
    if scored.broken:
        log.warning("%d exams cannot be read, and are not in the list", scored.broken)
    sites = [who["site"] for who in scored.who]
    strange = [site for site in sites if site not in learned.sites]
    if strange:
        log.warning(
            "%d of %d exams are of %s, and none of the %d that taught the probabilities is: they may be "
            "off there. Calibrate with labelled exams of the same site.",
            len(strange),
            len(sites),
            ", ".join(sorted(set(strange))),
            learned.exams,
        )


def rows(found: Worklist) -> list[dict[str, Any]]:
    """One of each exam, plain."""
    listed = []
    for i, exam_id in enumerate(found.exam_ids):
        row: dict[str, Any] = {
            "place": i + 1,
            "exam_id": exam_id,
            **found.who[i],
            "expected": round(float(found.expected[i]), 4),
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
    writer = csv.DictWriter(out, list(listed[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(listed)
    return out.getvalue()


def as_json(found: Worklist) -> str:
    """A list of objects."""
    return json.dumps(rows(found), indent=1)
