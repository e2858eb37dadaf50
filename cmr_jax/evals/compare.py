"""Is B better than A?  Of the same exams, by what each evaluation wrote of every one.

Differences are B less A, with BCa intervals over patients, who are drawn alike for both; findings
have DeLong's test too, and its p values are Holm's: among thirteen findings one is below 0.05 by
luck every other time.
"""

import pathlib
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from statsmodels.stats.multitest import multipletests

from cmr_jax.evals import retrieval
from cmr_jax.evals.answers import LEAST_TESTED
from cmr_jax.evals.statistics import delong, measures
from cmr_jax.evals.statistics.estimate import LEVEL, Estimate, estimate
from cmr_jax.evals.statistics.measures import Measure
from cmr_jax.evals.statistics.resamples import Resamples

SCORES_FILE = "scores.parquet"
SCORE, LABEL = "zero_shot_", "label_"
BETTER, WORSE, NOT_SHOWN = "B is better", "B is worse", "no difference shown"
Columns = dict[str, np.ndarray]


def compare(first: str, second: str, draws: int, seed: int = 0) -> dict[str, Any]:
    """Blocks by data set that both folders of `cmr_jax.evaluate` tell of.

    ValueError where there is nothing to compare, or they are of different patients or labels.
    """
    a, b = (_read(folder) for folder in (first, second))
    names = [n for n in dict.fromkeys(a["data"].tolist()) if n in b["data"]]
    if not names:
        raise ValueError(f"{first} and {second} tell of no data set by the same name.")
    blocks = {}
    for name in names:
        one, two = ({k: v[side["data"] == name] for k, v in side.items()} for side in (a, b))
        blocks[name] = _block(one, two, name, draws, seed)
    return {"a": first, "b": second, "bootstrap_draws": draws, "seed": seed, "data": blocks}


def _read(folder: str) -> Columns:
    path = pathlib.Path(folder, SCORES_FILE)
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise ValueError(
            f"{path} cannot be read ({type(error).__name__}). Name folders that "
            "cmr_jax.evaluate wrote."
        ) from None
    if missing := {"data", "exam_id", "patient_id"} - set(table.column_names):
        raise ValueError(f"{path} has no column {', '.join(sorted(missing))}. Evaluate again.")
    return {name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names}


def _block(a: Columns, b: Columns, name: str, draws: int, seed: int) -> dict[str, Any]:
    for side in (a, b):
        if len(np.unique(side["exam_id"])) < len(side["exam_id"]):
            raise ValueError(f"an exam of {name} has two rows in {SCORES_FILE}. Evaluate again.")
    both, at_a, at_b = np.intersect1d(a["exam_id"], b["exam_id"], return_indices=True)
    lone = len(a["exam_id"]) + len(b["exam_id"]) - 2 * len(both)
    if not len(both):
        raise ValueError(f"the evaluations of {name} have no exam in common.")
    a, b = ({k: v[at] for k, v in side.items()} for side, at in ((a, at_a), (b, at_b)))
    if (a["patient_id"] != b["patient_id"]).any():
        raise ValueError(f"an exam of {name} is of another patient in the other evaluation.")
    _, patient = np.unique(a["patient_id"], return_inverse=True)
    resamples = Resamples(patient, draws, seed)
    block: dict[str, Any] = {
        "n_exams": len(both),
        "n_patients": int(patient.max() + 1),
        "exams_of_one_alone": lone,
    }
    block |= _findings(a, b, name, resamples)
    # A rank counts the others: among other candidates it is another number.
    block["retrieval"] = {} if lone else _retrieval(a, b, resamples)
    return block


def _findings(a: Columns, b: Columns, name: str, resamples: Resamples) -> dict[str, Any]:
    findings, pairs = {}, []
    for column in (c for c in a if c.startswith(LABEL) and c in b):
        finding = column.removeprefix(LABEL)
        if not np.array_equal(a[column], b[column], equal_nan=True):
            raise ValueError(f"labels of {finding} in {name} differ between the evaluations.")
        if SCORE + finding not in a or SCORE + finding not in b:
            continue
        rows = np.flatnonzero(~np.isnan(a[column]))
        positive = a[column][rows] > 0.5
        if min(positive.sum(), (~positive).sum()) < LEAST_TESTED:
            continue
        scores = [side[SCORE + finding][rows].astype(float) for side in (a, b)]
        if not np.isfinite(scores).all():
            raise ValueError(f"scores of {finding} in {name} are not all finite.")
        aucs = [measures.among(rows, measures.auc(positive, score)) for score in scores]
        pairs.append(aucs)
        test = delong.difference(positive, scores[1], scores[0], resamples.patient[rows])
        findings[finding] = pair(resamples, *aucs) | {"p_delong": test.p}
    for one, p in zip(
        findings.values(), holm([f["p_delong"] for f in findings.values()]), strict=True
    ):
        one["p_holm"] = p
        if one["verdict"] in (BETTER, WORSE) and not p < 1 - LEVEL:
            one["verdict"] = NOT_SHOWN
    if not findings:
        return {"findings": {}}
    means = [measures.mean_of(side) for side in zip(*pairs, strict=True)]
    return {"mean_auc": pair(resamples, *means), "findings": findings}


def holm(p: list[float]) -> list[float]:
    """Adjusted among those that there are."""
    adjusted = np.array(p)
    known = np.isfinite(adjusted)
    if known.any():
        adjusted[known] = multipletests(adjusted[known], method="holm")[1]
    return adjusted.tolist()


def _retrieval(a: Columns, b: Columns, resamples: Resamples) -> dict[str, Any]:
    blocks = {}
    for column in (f"rank_{way}" for way in retrieval.WAYS):
        if column not in a or column not in b:
            continue
        rows = np.flatnonzero(np.isfinite(a[column]) & np.isfinite(b[column]))
        if not len(rows):
            continue
        values = {
            "R@10": [side[column][rows] <= 10 for side in (a, b)],
            "MRR": [1 / side[column][rows] for side in (a, b)],
        }
        blocks[column.removeprefix("rank_")] = {
            measure: pair(resamples, *(measures.among(rows, measures.mean(v)) for v in two))
            for measure, two in values.items()
        }
    return blocks


def pair(resamples: Resamples, a: Measure, b: Measure) -> dict[str, Any]:
    """What either is worth, and B less A of the same patients."""
    apart = estimate(measures.difference(b, a), resamples)
    values = {"a": resamples.everyone(a), "b": resamples.everyone(b)}
    return values | {"difference": apart.to_json(chance=0.0), "verdict": verdict(apart)}


def verdict(apart: Estimate) -> str:
    """What an interval of B less A lets one say."""
    if apart.low > 0:
        return BETTER
    if apart.high < 0:
        return WORSE
    if apart.value == 0 and not np.isfinite(apart.low):
        return "the same"
    return NOT_SHOWN if np.isfinite(apart.low) else "cannot be told"


def table(name: str, block: dict[str, Any]) -> str:
    """For a terminal."""
    lines = [f"{name}: {block['n_exams']} exams of {block['n_patients']} patients"]
    if lone := block["exams_of_one_alone"]:
        lines.append(
            f"  {lone} exams are in one evaluation alone: left out, and retrieval is not compared"
        )
    rows = {f"{way}, {m}": p for way, ms in block["retrieval"].items() for m, p in ms.items()}
    rows |= {"mean AUC": block["mean_auc"]} if "mean_auc" in block else {}
    rows |= {f"AUC {finding}": pair for finding, pair in block["findings"].items()}
    for what, pair in rows.items():
        d = pair["difference"]
        p = f", Holm's p {pair['p_holm']:.2g}" if "p_holm" in pair else ""
        span = f"{d['low']:+.3f} to {d['high']:+.3f}" if np.isfinite(d["low"]) else "no interval"
        lines.append(
            f"  {what:30} {pair['a']:.3f} -> {pair['b']:.3f}  {d['value']:+.3f} ({span}{p})"
            f"  {pair['verdict']}"
        )
    return "\n".join(lines)
