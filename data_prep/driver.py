"""One build: both graphs, the step between them, and everything that lies beside the shards."""

import json
import os
import pathlib
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import cmr_jax
from cmr_jax.schema import (
    EXAMS,
    FRAMES,
    LABELS_FILE,
    MANIFEST_FILE,
    SCHEMA_VERSION,
    SPLITS,
    TOKENIZER_FILE,
)
from data_prep import notes, pipeline, update, workshop
from data_prep.engine import Engines
from data_prep.exam.plan import Choice, ExamSummary
from data_prep.orders import NOTHING_YET, SPLIT_COLUMN, Existing, Rules, ShardOrder, make_orders
from data_prep.pipeline import HEADERS, Graphs
from data_prep.qc import people
from data_prep.qc.account import Account
from data_prep.qc.progress import stage
from data_prep.read.reject import Reject, Why
from data_prep.read.source import Source
from data_prep.reports.matching import Joined, join, patients_of
from data_prep.shards import Geometry, ShardResult, collect
from data_prep.shelf import labels, records, vocabulary

PROGRAM = f"cmr_jax {cmr_jax.__version__}"


@dataclass(frozen=True)
class Build:
    """Everything that decides what a build writes."""

    source: Source
    reports: list[dict[str, str]]
    labels: list[dict[str, str]]
    rules: Rules
    out: pathlib.Path
    geometry: Geometry
    choice: Choice
    vocabulary_size: int
    update: bool = False
    exchange: str = ""  # a folder of a cloud; "": beside `out`

    @property
    def options(self) -> dict[str, Any]:
        """What the manifest says of how the build was made, and an update must share."""
        return {
            "site": self.rules.site,
            "key_id": self.rules.pseudonyms.key_id,
            "spacing_mm": self.geometry.spacing_mm,
            "size": self.geometry.size,
            "splits": self.rules.splits,
            "keep": sorted(s.name for s in self.choice.keep),
        }


@dataclass(frozen=True)
class _Planned:
    """What the first graph and the join found."""

    exams: list[ExamSummary]
    file_rejects: list[Reject]
    files_found: int
    joined: Joined
    owners: dict[str, str]  # the patient of each study
    orders: list[ShardOrder]
    exam_rejects: list[Reject]


def build(job: Build, engines: Engines) -> Account:
    """Runs both graphs and the step between; returns the account.  The manifest comes last."""
    with workshop.enter(job.out, job.exchange) as exchange:
        return _build(job, Graphs(job.source, exchange, engines))


def _build(job: Build, graphs: Graphs) -> Account:
    account = Account()
    final, old = job.out, update.existing(job.out) if job.update else NOTHING_YET
    planned = _plan(job, graphs, account, old)
    if job.update:
        if not planned.orders:
            return _account(account, job, planned, [])
        shards = {o.split: o.shards for o in planned.orders}
        job = replace(job, out=update.begin(final, old, old.shards | shards))
    job.out.mkdir(parents=True, exist_ok=True)
    total = sum(len(order.exams) for order in planned.orders)
    with stage("writing shards", account, _done(graphs, EXAMS), total):
        results = pipeline.write_shards(graphs, planned.orders, job.geometry)
        collect(graphs.exchange, planned.orders, results, str(job.out))
    _account(account, job, planned, results)
    _shelve(job, account, planned, results, final if job.update else None)
    if job.update:
        update.finish(final)
    return account


def _plan(job: Build, graphs: Graphs, account: Account, old: Existing) -> _Planned:
    units = job.source.units()
    with stage("reading headers", account, _done(graphs, HEADERS), len(units)):
        pipeline.plan_exams(graphs, units, job.choice)
    exams, file_rejects = pipeline.load_summaries(graphs.exchange)
    if not exams:
        reasons = _listed(Counter(r.why.name.lower() for r in file_rejects)) or "no files"
        lost = Counter(r.why for r in file_rejects if not r.why.ignored).most_common(1)
        way_out = "".join(f" Most were {why.name.lower()}: {why.way_out}." for why, _ in lost)
        raise ValueError(f"nothing to prepare: no MR exam was found ({reasons}).{way_out}")
    joined = join(exams, job.reports, job.labels)
    owners = patients_of(exams, job.reports)
    orders, exam_rejects = make_orders(job.rules, exams, joined, owners, old)
    if not orders and not job.update:
        reasons = _listed(Counter(r.why.name.lower() for r in joined.rejects))
        raise ValueError(
            f"nothing to prepare: none of {len(exams)} exams has a usable report "
            f"({reasons or 'no report joins'}). "
            "Check the key columns, or keep exams without reports with --keep-unpaired."
        )
    found = notes.total(graphs.exchange, HEADERS)
    return _Planned(exams, file_rejects, found, joined, owners, orders, exam_rejects)


def _done(graphs: Graphs, stage: str) -> Callable[[], int]:
    return lambda: notes.units_done(graphs.exchange, stage)


def _account(account: Account, job: Build, planned: _Planned, results: list[ShardResult]):
    frames = {exam.study_uid: exam.frame_count for exam in planned.exams}
    unused = [Reject(r.why, r.where, count=frames[r.where]) for r in planned.exam_rejects]
    lost_frames = [r for result in results for r in result.file_rejects]
    planned_frames = sum(frames.values())
    account.files_found = planned.files_found
    account.files_used = planned_frames - sum(r.count for r in (*unused, *lost_frames))
    account.exams_found = len(planned.exams)
    account.exams_written = sum(r.exams for r in results)
    account.reports_found = len(job.reports)
    there = {r.where for r in planned.exam_rejects if r.why is Why.ALREADY_THERE}
    again = len(there & planned.joined.impressions.keys())
    account.reports_used = len(planned.joined.impressions) - again
    joined = list(planned.joined.rejects)
    if again:
        joined.append(Reject(Why.ALREADY_THERE, "report", count=again))
    account.rejects = {
        "files": [*planned.file_rejects, *unused, *lost_frames],
        "exams": planned.exam_rejects + [r for result in results for r in result.exam_rejects],
        "reports": [r for r in joined if r.where.startswith("report")],
        "labels": [r for r in joined if r.where.startswith("label")],
    }
    account.frames_written = sum(r.frames for r in results)
    account.joined_by = planned.joined.joined_by
    for impression in planned.joined.impressions.values():
        account.identifiers_removed.update(impression.removed)
    for result in results:
        account.stacks.update(result.stacks)
        account.exams_by_split[result.split] = (
            account.exams_by_split.get(result.split, 0) + result.exams
        )
    account.check()
    return account


def _shelve(
    job: Build,
    account: Account,
    planned: _Planned,
    results: list[ShardResult],
    old: pathlib.Path | None,
) -> None:
    """Everything beside the shards; the manifest last."""
    for table, counts in ((EXAMS, "exams"), (FRAMES, "frame_records")):
        lengths = update.lengths(old, table) if old else {}
        for split in SPLITS:
            new = [getattr(r, counts) for r in results if r.split == split]
            if new:
                lengths[split] = lengths.get(split, []) + new
        records.write_metadata(str(job.out), table, {s: lengths[s] for s in SPLITS if s in lengths})
        records.remove_others(str(job.out), table, lengths)
    account.bytes_written = sum(
        records.shard_path(str(job.out), table, o.split, o.shard, o.shards).stat().st_size
        for o in planned.orders
        for table in (EXAMS, FRAMES)
    )
    if not old:
        (job.out / TOKENIZER_FILE).write_bytes(_vocabulary(planned, job.vocabulary_size))
    before = json.loads((old / MANIFEST_FILE).read_text())["pixel_sha256"] if old else {}
    checksums = before | {k: v for r in results for k, v in sorted(r.checksums.items())}
    _labels(job, planned, checksums, old)
    facts = people.Facts(job.rules.site, job.options["key_id"], PROGRAM, SCHEMA_VERSION)
    people.write(job.out, account, job.rules.pseudonyms, facts)
    _write_manifest(job, account, checksums)


def _labels(
    job: Build, planned: _Planned, checksums: dict[str, str], old: pathlib.Path | None
) -> None:
    of = job.rules.pseudonyms.of
    rows = {
        of("study", uid): {k: v for k, v in row.items() if k != SPLIT_COLUMN}
        for uid, row in planned.joined.labels.items()
    }
    patients = {of("study", uid): owner for uid, owner in planned.owners.items()}
    labels.write(job.out, {k: v for k, v in rows.items() if k in checksums}, patients)
    if old and not job.labels and (old / LABELS_FILE).exists():
        shutil.copyfile(old / LABELS_FILE, job.out / LABELS_FILE)


def _vocabulary(planned: _Planned, size: int) -> bytes:
    train = [
        (exam.patient_id, exam.impression.text)
        for order in planned.orders
        if order.split == "train"
        for exam in order.exams
        if exam.impression.text
    ]
    return vocabulary.train(train, size)


def _write_manifest(job: Build, account: Account, checksums: dict[str, str]) -> None:
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "program": PROGRAM,
        "deidentification": "PS3.15 Basic Profile, allow-list of attributes, no dates, scrubbed text",
        "account": account.to_json(),
        "pixel_sha256": checksums,
        **job.options,
    }
    partial = job.out / (MANIFEST_FILE + ".unfinished")
    partial.write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    os.replace(partial, job.out / MANIFEST_FILE)


def _listed(counts: Counter) -> str:
    return ", ".join(f"{n} {name}" for name, n in sorted(counts.items()))
