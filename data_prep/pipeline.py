"""The two linear Beam graphs of the preparation, and what flows through them.

    graph 1  units -> headers -> GroupByKey(study) -> plans -> GroupByKey(file) -> plan files
    graph 2  shard orders -> pixels -> shards

Elements are headers and names: pixels never go through a shuffle.  Both graphs are chains,
which is what every runner gets right.
"""

import dataclasses
import hashlib
import os
import pathlib
import pickle
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineRunner
from apache_beam.typehints.decorators import no_annotations

from cmr_jax import schema
from cmr_jax.schema import EXAMS, FRAMES
from data_prep.exam.plan import ExamPlan, plan_exam
from data_prep.exam.render import render_exam
from data_prep.read import instance
from data_prep.read.instance import Instance
from data_prep.read.reject import Reject
from data_prep.read.source import Source
from data_prep.reports.matching import Impression
from data_prep.shelf import records

PLAN_FILES = 64


@dataclasses.dataclass(frozen=True)
class ExamOrder:
    """One exam to be written, with what may be said of it."""

    plan: ExamPlan
    exam_id: str
    patient_id: str
    site: str
    days_since_first: int
    impression: Impression


@dataclasses.dataclass(frozen=True)
class ShardOrder:
    """One shard of both tables."""

    split: str
    shard: int
    shards: int
    exams: tuple[ExamOrder, ...]


@dataclasses.dataclass
class ShardResult:
    """What became of a shard order."""

    split: str
    shard: int
    exams: int = 0
    frame_records: int = 0
    frames: int = 0
    frames_by_exam: dict[str, int] = dataclasses.field(default_factory=dict)
    stacks: Counter = dataclasses.field(default_factory=Counter)
    checksums: dict[str, str] = dataclasses.field(default_factory=dict)
    file_rejects: list[Reject] = dataclasses.field(default_factory=list)
    exam_rejects: list[Reject] = dataclasses.field(default_factory=list)


def tick(work: str, stage: str) -> None:
    """Notes that one more unit is done; the driver counts the bytes."""
    with open(os.path.join(work, f"{stage}.{os.getpid()}.ticks"), "ab") as file:
        file.write(b".")


def ticks(work: str, stage: str) -> int:
    """How many units are done, over all workers."""
    return sum(p.stat().st_size for p in pathlib.Path(work).glob(f"{stage}.*.ticks"))


def plan_exams(
    source: Source, work: str, options: PipelineOptions, runner: str | PipelineRunner
) -> None:
    """Graph 1: reads every header and leaves plans and rejects in WORK/plans."""
    pathlib.Path(work, "plans").mkdir()
    with beam.Pipeline(runner=runner, options=options) as pipeline:
        _ = (
            pipeline
            | beam.Create(source.units())
            | beam.Reshuffle()
            | "Headers" >> beam.FlatMap(read_headers, source, work)
            | "ByStudy" >> beam.GroupByKey()
            | "Plan" >> beam.FlatMap(plan_study)
            | "ByFile" >> beam.GroupByKey()
            | "Save" >> beam.Map(save_plans, work)
        )


@no_annotations  # Beam would type-check the graph against ours
def read_headers(unit: str, source: Source, work: str) -> Iterator[tuple[str, Instance | Reject]]:
    """Every file of a unit as (study, instance or reject)."""
    for found in source.heads(unit):
        for result in [found] if isinstance(found, Reject) else instance.read(found):
            study = result.text["StudyInstanceUID"] if isinstance(result, Instance) else ""
            yield study, result
    tick(work, "headers")


@no_annotations
def plan_study(group: tuple[str, Iterable[Instance | Reject]]) -> Iterator[tuple[int, Any]]:
    """The plan of one study, keyed by the file it will lie in; rejects pass through."""
    study, members = group
    instances = [m for m in members if isinstance(m, Instance)]
    yield (
        _file_of(study),
        (
            study,
            plan_exam(study, instances) if study else [m for m in members if isinstance(m, Reject)],
        ),
    )


@no_annotations
def save_plans(group: tuple[int, Iterable[Any]], work: str) -> None:
    """Writes the plans of one file; private, deleted when the build ends."""
    number, plans = group
    path = pathlib.Path(work, "plans", f"{number:05d}.pickle")
    path.write_bytes(pickle.dumps(sorted(plans, key=lambda item: item[0])))


def load_plans(work: str) -> tuple[list[ExamPlan], list[Reject]]:
    """What graph 1 left, in order of study."""
    plans, rejects = [], []
    for path in sorted(pathlib.Path(work, "plans").iterdir()):
        for _, made in pickle.loads(path.read_bytes()):
            if isinstance(made, ExamPlan):
                plans.append(made)
                rejects += made.rejects
            else:
                rejects += made
    return sorted(plans, key=lambda p: p.study_uid), sorted(rejects, key=lambda r: r.where)


def _file_of(study: str) -> int:
    return int.from_bytes(hashlib.sha256(study.encode()).digest()[:4], "big") % PLAN_FILES


@dataclasses.dataclass(frozen=True)
class Geometry:
    """How frames are stored."""

    spacing_mm: float
    size: int


def write_shards(
    orders: list[ShardOrder],
    source: Source,
    geometry: Geometry,
    work: str,
    out: str,
    options: PipelineOptions,
    runner: str | PipelineRunner,
) -> list[ShardResult]:
    """Graph 2: reads the chosen pixels and writes both tables, shard by shard."""
    for folder in ("orders", "results"):
        pathlib.Path(work, folder).mkdir()
    names = []
    for order in orders:
        names.append(f"{order.split}-{order.shard:05d}.pickle")
        pathlib.Path(work, "orders", names[-1]).write_bytes(pickle.dumps(order))
    with beam.Pipeline(runner=runner, options=options) as pipeline:
        _ = (
            pipeline
            | beam.Create(names)
            | beam.Reshuffle()
            | "Shards" >> beam.Map(write_shard, source, geometry, work, out)
        )
    return [pickle.loads(pathlib.Path(work, "results", name).read_bytes()) for name in names]


@no_annotations
def write_shard(name: str, source: Source, geometry: Geometry, work: str, out: str) -> None:
    """One shard of both tables; each file appears under its name only when it is whole."""
    order: ShardOrder = pickle.loads(pathlib.Path(work, "orders", name).read_bytes())
    result = ShardResult(order.split, order.shard)
    paths = {
        t: records.shard_path(out, t, order.split, order.shard, order.shards)
        for t in (EXAMS, FRAMES)
    }
    serialize = {table: records.Serializer(table) for table in (EXAMS, FRAMES)}
    with records.shard_writer(paths[EXAMS]) as exams, records.shard_writer(paths[FRAMES]) as frames:
        for exam in order.exams:
            _write_exam(exam, source, geometry, result, exams, frames, serialize)
            tick(work, "exams")
    pathlib.Path(work, "results", name).write_bytes(pickle.dumps(result))


def _write_exam(
    exam: ExamOrder, source, geometry: Geometry, result: ShardResult, exams, frames, serialize
) -> None:
    rendered, rejects = render_exam(exam.plan, source.load, geometry.spacing_mm, geometry.size)
    result.file_rejects += rejects
    if not rendered:
        result.exam_rejects.append(
            Reject(rejects[0].why, exam.plan.study_uid, "no stack could be read")
        )
        return
    stacks, checksum, count = [], hashlib.sha256(), 0
    for one in rendered:
        stacks.append(dataclasses.replace(one.stack, first_frame=result.frame_records))
        result.stacks[f"{one.stack.view.name} {one.stack.sequence.name}"] += 1
        for video in one.videos:
            frames.write(serialize[FRAMES](schema.dump_frames(exam.exam_id, video)))
            checksum.update(video.tobytes())
            result.frame_records += 1
            count += len(video)
    plan = exam.plan
    record = {
        "exam_id": exam.exam_id,
        "patient_id": exam.patient_id,
        "site": exam.site,
        "vendor": plan.vendor,
        "field_strength_t": plan.field_strength_t,
        "sex": plan.sex,
        "age_band": plan.age_band,
        "days_since_first": exam.days_since_first,
        "impression": exam.impression.text,
        "sentences": list(exam.impression.sentences),
        "stacks": schema.dump_stacks(stacks),
        "shard": result.shard,
    }
    exams.write(serialize[EXAMS](record))
    result.exams += 1
    result.frames += count
    result.frames_by_exam[exam.exam_id] = count
    result.checksums[exam.exam_id] = checksum.hexdigest()[:32]
