"""All evaluators over all data sets: embeddings in, one block of numbers per data set out."""

import dataclasses
import pathlib
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import cmr_jax
from cmr_jax import metrics
from cmr_jax.data import pipeline
from cmr_jax.data.source import Exam, ExamSource
from cmr_jax.data.transforms import group_of
from cmr_jax.embedding import Embedder, ExamEmbeddings
from cmr_jax.evals import (
    compare,
    controls,
    labels,
    pictures,
    protocol,
    report,
    retrieval,
    zero_shot,
)
from cmr_jax.evals.statistics.resamples import Resamples

SCHEMA_VERSION = 1
# What a visitor of the page sees found.
QUERIES = (
    "Severely reduced left ventricular systolic function, dilated left ventricle.",
    "Asymmetric septal hypertrophy, hypertrophic cardiomyopathy.",
    "Large circumferential pericardial effusion.",
    "Diffuse late gadolinium enhancement, cardiac amyloidosis.",
    "Normal biventricular size and systolic function.",
)
SHOWN_PER_QUERY = 3
# With training labels, which the model itself never saw: on its embeddings, and on less.
SUPERVISED = {
    "embedding_probe": "logistic regression on the model's embeddings, supervised",
    "header_metadata": "logistic regression on header metadata, supervised",
    "mean_frame": "logistic regression on the mean frame, supervised",
}


@dataclasses.dataclass(frozen=True)
class Options:
    """What to evaluate."""

    split: str
    draws: int
    controls: bool
    protocols: tuple[str, ...] = ()
    seed: int = 0


def evaluate(
    embedder: Embedder,
    permuted: list[Embedder],
    data: dict[str, str],
    options: Options,
    out: pathlib.Path,
) -> dict[str, Any]:
    """Evaluates every data set; writes scores.parquet and report.html; returns results.json."""
    out.mkdir(parents=True, exist_ok=True)
    blocks, sections, tables = {}, [], []
    for name, path in data.items():
        split = options.split if name == "internal" else _all_of(path, options.split)
        embedded = embedder.exams(path, split)
        _check_finite(name, embedded)
        block, per_exam, score, found, resamples = _measure(embedder, embedded, path, options)
        if options.controls and block["zero_shot"].get("findings"):
            block["controls"] = _controls(
                embedder, permuted, path, split, score, embedded, block, found, resamples
            )
        blocks[name] = block
        tables.append(_table(name, embedded, per_exam, score, found))
        sections.append(_section(name, embedder, embedded, ExamSource(path, split), block))
    pq.write_table(pa.concat_tables(tables, promote_options="default"), out / compare.SCORES_FILE)
    meta = {
        "program": f"cmr_jax {cmr_jax.__version__}",
        "split": options.split,
        "bootstrap_draws": options.draws,
        "interval": "95 %, BCa bootstrap over patients; Student's t over runs",
    }
    (out / "report.html").write_text(report.page(meta, sections))
    return {"schema_version": SCHEMA_VERSION, "meta": meta, "data": blocks}


def _all_of(path: str, split: str) -> str:
    """An external site may have one split only: then that one is used."""
    try:
        ExamSource(path, split)
        return split
    except ValueError:
        for other in ("test", "val", "train"):
            try:
                ExamSource(path, other)
                return other
            except ValueError:
                continue
        raise


def _check_finite(name: str, embedded: ExamEmbeddings) -> None:
    """A score that is no number would be ranked as if it were one."""
    sides = np.concatenate([embedded.video, embedded.text], axis=1)
    if broken := int((~np.isfinite(sides).all(1)).sum()):
        raise ValueError(
            f"the model's embeddings of {broken} of {len(sides)} exams of {name} are not finite. "
            "Take weights of an earlier step."
        )


def _measure(embedder: Embedder, embedded: ExamEmbeddings, path: str, options: Options):
    exams = embedded.exams
    _, patient = np.unique([e.patient_id for e in exams], return_inverse=True)
    resamples = Resamples(patient, options.draws, options.seed)
    paired = np.flatnonzero([bool(e.impression) for e in exams])
    found = labels.read(path, [e.exam_id for e in exams])
    block: dict[str, Any] = {"n_patients": int(patient.max() + 1), "n_exams": len(exams)}
    per_exam: dict[str, np.ndarray] = {}
    if len(paired):
        pairs = embedded.video[paired], embedded.text[paired], resamples.of(paired)
        block["retrieval"], ranks = retrieval.evaluate(*pairs)
        block["retrieval_of_alike"] = {
            name: retrieval.evaluate(*pairs, groups[paired])[0]
            for name, groups in _alike(exams, found).items()
        }
        for key, rank in ranks.items():
            per_exam[key] = np.full(len(exams), np.nan)
            per_exam[key][paired] = rank
    score = zero_shot.scores(embedded.video, embedder.texts)
    block["zero_shot"] = zero_shot.evaluate([score], found, resamples)
    if options.protocols and len(paired):
        given = (embedded.video, embedded.text, paired, patient, found, embedder.texts)
        block["protocols"] = {
            name: protocol.evaluate(protocol.PROTOCOLS[name], *given) for name in options.protocols
        }
    return block, per_exam, score, found, resamples


def _alike(exams: list[Exam], found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Ways in which exams are each other's answer: most normal hearts read alike."""
    groups = {"same_words": np.array([group_of(e.impression) for e in exams])}
    yes_or_no = [v for v in found.values() if np.isin(v[~np.isnan(v)], (0, 1)).all()]
    if yes_or_no:
        vectors = np.nan_to_num(np.stack(yes_or_no, 1), nan=-1)
        groups["same_labels"] = np.unique(vectors, axis=0, return_inverse=True)[1]
    return groups


def _controls(
    embedder, permuted, path, split, score, embedded, block, found, resamples
) -> dict[str, Any]:
    findings = list(block["zero_shot"]["findings"])
    blocks: dict[str, Any] = {}

    def scored(name: str, what: str, *runs: dict[str, np.ndarray]) -> dict[str, Any]:
        blocks[name] = {"what": what} | zero_shot.evaluate(list(runs), found, resamples)
        return blocks[name]

    shuffled = embedder.exams(path, split, controls.shuffle_phases)
    scores = zero_shot.scores(shuffled.video, embedder.texts)
    moved = scored("shuffled_phases", "the same model, phases of every cine shuffled", scores)
    moved["motion_auc_drop"] = controls.motion_drop(score, scores, found, resamples, findings)
    if permuted:
        others = [zero_shot.scores(e.exams(path, split).video, e.texts) for e in permuted]
        what = f"trained on reports permuted among patients, {len(others)} runs"
        scored("permuted_reports", what, *others)
    try:
        train = ExamSource(path, "train")
    except ValueError:
        return blocks
    known_embedded = embedder.exams(path, "train")
    train_labels = labels.read(path, [e.exam_id for e in known_embedded.exams])
    inputs = {
        "embedding_probe": [
            metrics.normalise(known_embedded.video),
            metrics.normalise(embedded.video),
        ],
        "header_metadata": [
            controls.header_features(e) for e in (known_embedded.exams, embedded.exams)
        ],
        "mean_frame": [
            controls.mean_frames(pipeline.EvalBatches(s, embedder.cfg, embedder.weights.tokenizer))
            for s in (train, ExamSource(path, split))
        ],
    }
    supervised, asked = {}, {name: score[name] for name in findings}
    for name, (known, unseen) in inputs.items():
        supervised[name] = controls.supervised_scores(known, train_labels, unseen, findings)
        baseline = scored(name, SUPERVISED[name], supervised[name])
        if name != "embedding_probe":
            for better, of in (
                ("model", asked),
                ("embedding_probe", supervised["embedding_probe"]),
            ):
                baseline[f"behind_{better}"] = controls.ahead(
                    of, supervised[name], found, resamples
                )
    return blocks


def _table(
    name: str, embedded: ExamEmbeddings, per_exam: dict, score: dict, found: dict
) -> pa.Table:
    columns: dict[str, Any] = {
        "data": [name] * len(embedded.exams),
        "exam_id": [e.exam_id for e in embedded.exams],
        "patient_id": [e.patient_id for e in embedded.exams],
    }
    scores = {compare.SCORE + k: v for k, v in score.items()}
    truths = {compare.LABEL + k: v for k, v in found.items()}
    return pa.table(columns | per_exam | scores | truths)


def _section(
    name: str, embedder: Embedder, embedded: ExamEmbeddings, source: ExamSource, block
) -> report.Section:
    plots = [pictures.recall_plot(block["retrieval"])] if "retrieval" in block else []
    if block["zero_shot"].get("findings"):
        plots.insert(0, pictures.auc_plot(block["zero_shot"], block.get("controls", {})))
    similarity = (
        metrics.normalise(embedder.texts(list(QUERIES))) @ metrics.normalise(embedded.video).T
    )
    queries = {}
    for query, row in zip(QUERIES, similarity, strict=True):
        best = np.argsort(-row, kind="stable")[:SHOWN_PER_QUERY]
        queries[query] = [
            report.Found(
                embedded.exams[i].exam_id,
                float(row[i]),
                embedded.exams[i].impression,
                pictures.heart(source, embedded.exams[i]),
            )
            for i in best
        ]
    return report.Section(name, block, plots, queries)
