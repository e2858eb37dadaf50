"""All evaluators over all data sets: embeddings in, one block of numbers per data set out."""

import dataclasses
import json
import logging
import pathlib
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

import cmr_jax
from cmr_jax.data.shards import splits_of
from cmr_jax.data.source import ExamSource, read_manifest
from cmr_jax.embedding import Model
from cmr_jax.evals import (
    card,
    cohort,
    compare,
    controls,
    labels,
    learned,
    page,
    questions,
    verdict,
)
from cmr_jax.evals.baselines import Features
from cmr_jax.evals.cohort import Cohort
from cmr_jax.evals.statistics.estimate import plain
from cmr_jax.evals.study import Study
from cmr_jax.evals.trust import passes, shift
from cmr_jax.evals.zero_shot import Asked

log = logging.getLogger(__name__)

SCHEMA_VERSION = 1
HOME = "internal"
TRAIN = "train"
LEARNED, CONTROLS, TRUST = PARTS = ("learned", "controls", "trust")
RESULTS_FILE, REPORT_FILE, CARD_FILE = "results.json", "report.html", "model_card.md"


@dataclasses.dataclass(frozen=True)
class Options:
    """What to evaluate."""

    split: str = "test"
    calibration: str = "val"  # thresholds and probabilities come from its labels
    draws: int = 2000
    parts: tuple[str, ...] = PARTS
    protocols: tuple[str, ...] = ()
    prompts: str = questions.REPORTS
    seed: int = 0


class Suite:
    """A model, and the exams of home by which it is judged."""

    def __init__(self, model: Model, permuted: list[Model], home: str, options: Options):
        self.model, self.options = model, options
        self.asked = Asked(questions.read(options.prompts), model.texts)
        self.permuted = [(m, Asked(self.asked.questions, m.texts)) for m in permuted]
        self.home: Study | None = None
        self.trained = self._beside_test(home, TRAIN)
        self.features = None if self.trained is None else Features(model, self.trained)
        known = self._beside_test(home, options.calibration)
        self.calibration = None if known is None else Study.of(known, self.asked)

    def study(self, name: str, path: str) -> Study:
        """Everything about one data set; home comes first."""
        split = self.options.split if name == HOME else _split_of(path, self.options.split)
        tested = self._embedded(name, path, split)
        study = Study.of(tested, self.asked)
        study.describe()
        study.block |= self._strays(tested)
        study.retrieve()
        study.ask(self.asked)
        if self.calibration is not None:
            study.answer(self.calibration, self.model.scale)
        study.by_protocols(self.options.protocols, self.model.texts)
        if LEARNED in self.options.parts:
            self._learn(study)
        study.tell()
        if CONTROLS in self.options.parts and study.findings:
            self._control(study)
        if TRUST in self.options.parts:
            self._trust(study)
        at_home = None if self.home is None else self.home.block
        study.block["verdict"] = [s.to_json() for s in verdict.judge(study.block, at_home)]
        self.home = self.home or study
        return study

    def _learn(self, study: Study) -> None:
        c = study.cohort
        known = self.trained
        if c.name != HOME and c.split != TRAIN and _has(c.path, TRAIN):
            known = self._embedded(c.name, c.path, TRAIN)
        if known is None:
            return
        log.info("%s: learning from %d exams of %s", c.name, len(known), known.name)
        block, columns = learned.evaluate(known, c, self.options.seed)
        study.block |= block
        study.columns |= columns

    def _control(self, study: Study) -> None:
        log.info("%s: controls", study.cohort.name)
        study.block["controls"] = controls.evaluate(
            study, self.model, self.asked, self.permuted, self.features, self.options.seed
        )

    def _trust(self, study: Study) -> None:
        c = study.cohort
        log.info("%s: what is lost with each view, and which pictures carry findings", c.name)
        study.by_group(self.options.seed)
        study.block["without"] = passes.without_kinds(study, self.model, self.asked)
        study.block["attribution"] = passes.carried(
            study, self.model, self.asked, self.options.seed
        )
        like = 0 if self.calibration is None else len(self.calibration.cohort)
        if self.trained is not None and self.calibration is not None and like >= shift.LEAST:
            near = shift.Nearness(self.trained.video, self.calibration.cohort.video)
            study.block["shift"], study.columns["usual"] = shift.evaluate(
                near, c, None if self.home is None else self.home.cohort
            )

    def _beside_test(self, home: str, split: str) -> Cohort | None:
        """A split of home that is not the one under test; None where there is none."""
        if split == self.options.split or not _has(home, split):
            return None
        return self._embedded(HOME, home, split)

    def _embedded(self, name: str, path: str, split: str) -> Cohort:
        log.info("%s: embedding %s", name, split)
        return cohort.embed(self.model, name, path, split, self.options.draws, self.options.seed)

    def _strays(self, tested: Cohort) -> dict[str, int]:
        """Rows of labels that are of no exam, and patients who are on both sides."""
        stray = labels.labelled_ids(tested.path)
        for split in splits_of(tested.path) if stray else ():
            source = ExamSource(tested.path, split)
            stray -= {source[i].exam_id for i in range(len(source))}
        known = {e.patient_id for e in self.trained.exams} if self.trained else set()
        if tested.name == HOME and tested.split == TRAIN:
            known = {e.patient_id for e in tested.exams}
        if not self.model.learned_at_home:
            known = set()
        shared = known & {e.patient_id for e in tested.exams}
        return {"labels_of_no_exam": len(stray), "patients_trained_on": len(shared)}


def evaluate(
    model: Model,
    permuted: list[Model],
    data: dict[str, str],
    options: Options,
    out: pathlib.Path,
) -> dict[str, Any]:
    """Evaluates every data set, one of which is home; writes results.json, scores.parquet, report.html
    and model_card.md; returns the results."""
    for path in data.values():
        read_manifest(path)
    out.mkdir(parents=True, exist_ok=True)
    suite = Suite(model, permuted, data[HOME], options)
    studies = [suite.study(name, path) for name, path in data.items()]
    tables = [_table(study) for study in studies]
    pq.write_table(pa.concat_tables(tables, promote_options="default"), out / compare.SCORES_FILE)
    meta = {
        "program": f"cmr_jax {cmr_jax.__version__}",
        "split": options.split,
        "prompts": pathlib.Path(options.prompts).stem,
        "seed": options.seed,
        "bootstrap_draws": options.draws,
        "interval": "95 %, BCa bootstrap over patients; Student's t over runs",
    }
    log.info("drawing the report")
    results = {
        "schema_version": SCHEMA_VERSION,
        "meta": meta,
        "data": {study.cohort.name: study.block for study in studies},
    }
    # First: a plot that cannot be drawn must not cost the numbers.
    text = json.dumps(plain(results), indent=1, allow_nan=False)
    (out / RESULTS_FILE).write_text(text + "\n")
    (out / REPORT_FILE).write_text(page.page(meta, studies, model))
    (out / CARD_FILE).write_text(card.card(results))
    return results


def _has(path: str, split: str) -> bool:
    return split in splits_of(path) and len(ExamSource(path, split)) > 0


def _split_of(path: str, split: str) -> str:
    """An external site may have one split only: then that one is used."""
    return next((s for s in (split, "test", "val", TRAIN) if _has(path, s)), split)


def _table(study: Study) -> pa.Table:
    c = study.cohort
    columns: dict[str, Any] = {
        "data": [c.name] * len(c),
        "exam_id": [e.exam_id for e in c.exams],
        "patient_id": [e.patient_id for e in c.exams],
    }
    scores = {compare.SCORE + k: v for k, v in study.scores.items()}
    truths = c.labels.findings | c.labels.measurements
    return pa.table(
        columns | study.columns | scores | {compare.LABEL + k: v for k, v in truths.items()}
    )
