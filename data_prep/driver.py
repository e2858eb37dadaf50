"""The step between the graphs: who belongs together, which split, which shard, in what order."""

import datetime
import json
import os
import pathlib
import shutil
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineRunner

import cmr_jax
from cmr_jax.schema import (
    EXAMS,
    FRAMES,
    MANIFEST_FILE,
    SCHEMA_VERSION,
    SPLITS,
    TOKENIZER_FILE,
)
from data_prep import pipeline
from data_prep.deid.pseudonym import Pseudonyms
from data_prep.exam.plan import ExamPlan
from data_prep.pipeline import ExamOrder, Geometry, ShardOrder, ShardResult
from data_prep.qc import contact_sheet
from data_prep.qc.account import Account, write_rejects
from data_prep.qc.progress import stage
from data_prep.read.reject import Reject, Why
from data_prep.read.source import Source
from data_prep.reports.matching import Impression, Joined, join, patients_of
from data_prep.shelf import labels, records, vocabulary


@dataclass(frozen=True)
class Build:
    """Everything that decides what a build writes."""

    source: Source
    reports: list[dict[str, str]]
    labels: list[dict[str, str]]
    site: str
    pseudonyms: Pseudonyms
    out: pathlib.Path
    geometry: Geometry
    splits: dict[str, float]
    exams_per_shard: int
    vocabulary_size: int
    keep_unpaired: bool


def build(job: Build, options: PipelineOptions, runner: str | PipelineRunner) -> Account:
    """Runs both graphs and the step between; returns the account.  The manifest comes last."""
    account = Account()
    work = tempfile.mkdtemp(prefix="cmr_prep_")  # private (0700): plans hold identifiers
    job.out.mkdir(parents=True, exist_ok=True)
    try:
        units = len(job.source.units())
        with stage("reading headers", account, lambda: pipeline.ticks(work, "headers"), units):
            pipeline.plan_exams(job.source, work, options, runner)
        plans, file_rejects = pipeline.load_plans(work)
        if not plans:
            reasons = Counter(r.why.name.lower() for r in file_rejects)
            raise ValueError(
                f"nothing to prepare: no MR exam was found ({_listed(reasons) or 'no files'})."
            )
        joined = join(plans, job.reports, job.labels)
        orders, exam_rejects = make_orders(job, plans, joined)
        if not orders:
            raise ValueError(
                f"nothing to prepare: none of {len(plans)} exams has a usable report "
                f"({_listed(Counter(r.why.name.lower() for r in joined.rejects)) or 'no report joins'}). "
                "Check the key columns, or keep exams without reports with --keep-unpaired."
            )
        total = sum(len(order.exams) for order in orders)
        with stage("writing shards", account, lambda: pipeline.ticks(work, "exams"), total):
            results = pipeline.write_shards(
                orders, job.source, job.geometry, work, str(job.out), options, runner
            )
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _fill(account, plans, file_rejects, joined, orders, exam_rejects, results, job)
    account.check()
    written = {exam_id for result in results for exam_id in result.checksums}
    _shelve(job, account, orders, results)
    labelled = {job.pseudonyms.of("study", uid): row for uid, row in joined.labels.items()}
    labels.write(job.out, {k: v for k, v in labelled.items() if k in written})
    write_rejects(job.out, account, job.pseudonyms)
    first = next(split for split in SPLITS if account.exams_by_split.get(split))
    contact_sheet.write(job.out, first)
    _write_manifest(job, account, results)
    return account


def make_orders(
    job: Build, plans: list[ExamPlan], joined: Joined
) -> tuple[list[ShardOrder], list[Reject]]:
    """Exams that can be written, by split and shard; every order is by pseudonym."""
    owners = patients_of(plans, job.reports)
    first_dates: dict[str, datetime.date] = {}
    for plan in plans:
        if date := _date(plan.study_date):
            owner = owners[plan.study_uid]
            first_dates[owner] = min(first_dates.get(owner, date), date)
    by_split: dict[str, list[ExamOrder]] = defaultdict(list)
    rejects = []
    for plan in plans:
        impression = joined.impressions.get(plan.study_uid)
        if impression is None and not job.keep_unpaired:
            rejects.append(Reject(Why.NO_REPORT, plan.study_uid))
            continue
        owner = owners[plan.study_uid]
        date = _date(plan.study_date)
        order = ExamOrder(
            plan=plan,
            exam_id=job.pseudonyms.of("study", plan.study_uid),
            patient_id=job.pseudonyms.of("patient", owner),
            site=job.site,
            days_since_first=(date - first_dates[owner]).days if date else -1,
            impression=impression or Impression("", ()),
        )
        by_split[_split(job, owner)].append(order)
    orders = []
    for split in SPLITS:
        exams = sorted(by_split[split], key=lambda e: e.exam_id)
        shards = -(-len(exams) // job.exams_per_shard)
        orders += [ShardOrder(split, i, shards, tuple(exams[i::shards])) for i in range(shards)]
    return orders, rejects


def _split(job: Build, owner: str) -> str:
    at, edge = job.pseudonyms.uniform("split", owner), 0.0
    for split, share in job.splits.items():
        edge += share
        if at < edge:
            return split
    return list(job.splits)[-1]


def _date(text: str) -> datetime.date | None:
    try:
        return datetime.datetime.strptime(text, "%Y%m%d").date()
    except ValueError:
        return None


def _fill(account, plans, file_rejects, joined, orders, exam_rejects, results, job) -> None:
    lost_frames = [r for result in results for r in result.file_rejects]
    account.files_used = sum(p.frame_count for p in plans) - sum(r.count for r in lost_frames)
    account.files_found = account.files_used + sum(r.count for r in (*file_rejects, *lost_frames))
    account.exams_found = len(plans)
    account.exams_written = sum(r.exams for r in results)
    account.reports_found = len(job.reports)
    report_rejects = [r for r in joined.rejects if r.where.startswith("report")]
    account.reports_used = len(joined.impressions)
    account.rejects = {
        "files": [*file_rejects, *lost_frames],
        "exams": exam_rejects + [r for result in results for r in result.exam_rejects],
        "reports": report_rejects,
        "labels": [r for r in joined.rejects if r.where.startswith("label")],
    }
    account.frames_written = sum(r.frames for r in results)
    account.joined_by = joined.joined_by
    for impression in joined.impressions.values():
        account.identifiers_removed.update(impression.removed)
    for result in results:
        account.stacks.update(result.stacks)
        account.exams_by_split[result.split] = (
            account.exams_by_split.get(result.split, 0) + result.exams
        )


def _shelve(
    job: Build, account: Account, orders: list[ShardOrder], results: list[ShardResult]
) -> None:
    for table, counts in ((EXAMS, "exams"), (FRAMES, "frame_records")):
        lengths = {
            split: [getattr(r, counts) for r in results if r.split == split]
            for split in SPLITS
            if any(r.split == split for r in results)
        }
        records.write_metadata(str(job.out), table, lengths)
    account.bytes_written = sum(
        records.shard_path(str(job.out), table, o.split, o.shard, o.shards).stat().st_size
        for o in orders
        for table in (EXAMS, FRAMES)
    )
    train = [
        (exam.patient_id, exam.impression.text)
        for order in orders
        if order.split == "train"
        for exam in order.exams
        if exam.impression.text
    ]
    (job.out / TOKENIZER_FILE).write_bytes(vocabulary.train(train, job.vocabulary_size))


def _write_manifest(job: Build, account: Account, results: list[ShardResult]) -> None:
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "program": f"cmr_jax {cmr_jax.__version__}",
        "site": job.site,
        "key_id": job.pseudonyms.key_id,
        "deidentification": "PS3.15 Basic Profile, allow-list of attributes, no dates, scrubbed text",
        "spacing_mm": job.geometry.spacing_mm,
        "size": job.geometry.size,
        "splits": job.splits,
        "account": account.to_json(),
        "pixel_sha256": {k: v for result in results for k, v in sorted(result.checksums.items())},
    }
    partial = job.out / (MANIFEST_FILE + ".unfinished")
    partial.write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    os.replace(partial, job.out / MANIFEST_FILE)


def _listed(counts: Counter) -> str:
    return ", ".join(f"{n} {name}" for name, n in sorted(counts.items()))
