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
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.typehints.decorators import no_annotations

import cmr_jax
from cmr_jax import schema
from cmr_jax.schema import EXAMS, FRAMES
from data_prep import workshop
from data_prep.engine import Engines, withheld
from data_prep.exam.plan import Choice, ExamPlan, plan_exam
from data_prep.exam.render import Rendered, render_exam
from data_prep.orders import ExamOrder, ShardOrder
from data_prep.read import instance
from data_prep.read.instance import Instance
from data_prep.read.reject import Reject
from data_prep.read.source import Source
from data_prep.shelf import records

PLAN_FILES = 64
# What takes as long as a worker's start (about four seconds of CPU): headers of so many folders,
# shards of so many exams.
UNITS_PER_WORKER, EXAMS_PER_WORKER = 200, 20
LARGEST_PART = 1000  # frames, of about four kilobytes

Part = list[Instance | Reject]  # what one unit holds of a study: its texts pickle once


@dataclasses.dataclass(frozen=True)
class Graphs:
    """What both graphs need, and where they leave their results for the driver."""

    source: Source
    work: str  # private: plans hold identifiers
    engines: Engines


@dataclasses.dataclass(frozen=True)
class Geometry:
    """How frames are stored."""

    spacing_mm: float
    size: int


@dataclasses.dataclass
class ShardResult:
    """What became of a shard order."""

    split: str
    shard: int
    exams: int = 0
    frame_records: int = 0
    frames: int = 0
    stacks: Counter = dataclasses.field(default_factory=Counter)
    checksums: dict[str, str] = dataclasses.field(default_factory=dict)
    file_rejects: list[Reject] = dataclasses.field(default_factory=list)
    exam_rejects: list[Reject] = dataclasses.field(default_factory=list)


def plan_exams(graphs: Graphs, units: list[str], choice: Choice) -> None:
    """Graph 1: reads every header and leaves plans and rejects in WORK/plans."""
    options, runner = graphs.engines.for_jobs(len(units), UNITS_PER_WORKER)
    with withheld(), beam.Pipeline(runner=runner, options=options) as pipeline:
        _ = (
            pipeline
            | beam.Create([os.fsencode(unit) for unit in units])  # names may be no text
            | beam.Reshuffle()
            | "Headers" >> beam.FlatMap(read_headers, graphs.source, graphs.work)
            | "ByStudy" >> beam.GroupByKey()
            | "Plan" >> beam.FlatMap(plan_study, choice)
            | "ByFile" >> beam.GroupByKey()
            | "Save" >> beam.Map(save_plans, graphs.work)
        )


@no_annotations  # Beam would type-check the graph against ours
def read_headers(unit: bytes, source: Source, work: str) -> Iterator[tuple[str, Part]]:
    """Every frame of a unit, as (study, some of its frames)."""
    name, count = os.fsdecode(unit), 0
    parts: dict[str, Part] = defaultdict(list)
    for found in source.heads(name):
        for result in [found] if isinstance(found, Reject) else instance.read(found):
            study = result.text["StudyInstanceUID"] if isinstance(result, Instance) else ""
            parts[study].append(result)
            count += 1
            if len(parts[study]) == LARGEST_PART:
                yield study, parts.pop(study)
    yield from parts.items()
    workshop.note_found(work, unit, count)
    workshop.tick(work, "headers")


@no_annotations
def plan_study(group: tuple[str, Iterable[Part]], choice: Choice) -> Iterator[tuple[int, Any]]:
    """The plan of one study, keyed by the file it will lie in; rejects pass through."""
    study, parts = group
    members = [one for part in parts for one in part]
    made: ExamPlan | list[Reject]
    if study:
        made = plan_exam(study, [m for m in members if isinstance(m, Instance)], choice)
    else:
        made = [m for m in members if isinstance(m, Reject)]
    yield _file_of(study), (study, made)


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


def write_shards(
    graphs: Graphs, orders: list[ShardOrder], geometry: Geometry, out: str
) -> list[ShardResult]:
    """Graph 2: reads the chosen pixels and writes both tables, shard by shard.

    A shard that an earlier run of the same order finished is not written again.
    """
    folders = {name: pathlib.Path(graphs.work, name) for name in ("orders", "results")}
    names, undone = [], []
    for order in orders:
        content = pickle.dumps((order, geometry, schema.SCHEMA_VERSION, cmr_jax.__version__))
        name = f"{order.split}-{order.shard:05d}-{hashlib.sha256(content).hexdigest()[:16]}.pickle"
        names.append(name)
        written = all(path.exists() for path in _paths(out, order).values())
        if written and (folders["results"] / name).exists():
            for _ in order.exams:
                workshop.tick(graphs.work, "exams")
        else:
            for other in folders["results"].glob(f"{order.split}-{order.shard:05d}-*"):
                other.unlink()  # of an earlier run with another order for these files
            (folders["orders"] / name).write_bytes(pickle.dumps(order))
            undone.append(name)
    exams = sum(len(order.exams) for order in orders)
    options, runner = graphs.engines.for_jobs(exams, EXAMS_PER_WORKER)
    with withheld(), beam.Pipeline(runner=runner, options=options) as pipeline:
        _ = (
            pipeline
            | beam.Create(undone)
            | beam.Reshuffle()
            | "Shards" >> beam.Map(write_shard, graphs.source, geometry, graphs.work, out)
        )
    return [pickle.loads((folders["results"] / name).read_bytes()) for name in names]


def _paths(out: str, order: ShardOrder) -> dict[str, pathlib.Path]:
    return {
        t: records.shard_path(out, t, order.split, order.shard, order.shards)
        for t in (EXAMS, FRAMES)
    }


@no_annotations
def write_shard(name: str, source: Source, geometry: Geometry, work: str, out: str) -> None:
    """One shard of both tables; each file appears under its name only when it is whole."""
    order: ShardOrder = pickle.loads(pathlib.Path(work, "orders", name).read_bytes())
    result = ShardResult(order.split, order.shard)
    paths = _paths(out, order)
    serialize = {table: records.Serializer(table) for table in (EXAMS, FRAMES)}
    with records.shard_writer(paths[EXAMS]) as exams, records.shard_writer(paths[FRAMES]) as frames:
        for exam in order.exams:
            args = exam.plan, source.load, geometry.spacing_mm, geometry.size
            rendered, rejects = render_exam(*args)
            result.file_rejects += rejects
            if not rendered:
                said = "no stack could be read"
                result.exam_rejects.append(Reject(rejects[0].why, exam.plan.study_uid, said))
            else:
                record, videos = _shelved(exam, rendered, result)
                for video in videos:
                    frames.write(serialize[FRAMES](video))
                exams.write(serialize[EXAMS](record))
            workshop.tick(work, "exams")
    done = pathlib.Path(work, "results", name)
    unfinished = done.with_suffix(f".{os.getpid()}.unfinished")
    unfinished.write_bytes(pickle.dumps(result))
    os.replace(unfinished, done)


def _shelved(
    exam: ExamOrder, rendered: list[Rendered], result: ShardResult
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The record of one exam and those of its frames; counts them in the result."""
    stacks, videos, checksum = [], [], hashlib.sha256()
    for one in rendered:
        at = result.frame_records + len(videos)
        stacks.append(dataclasses.replace(one.stack, first_frame=at))
        result.stacks[f"{one.stack.view.name} {one.stack.sequence.name}"] += 1
        for video in one.videos:
            videos.append(schema.dump_frames(exam.exam_id, video))
            checksum.update(video.data)
            result.frames += len(video)
    result.frame_records += len(videos)
    result.exams += 1
    result.checksums[exam.exam_id] = checksum.hexdigest()[:32]
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
    return record, videos
