"""One shard: its exams read, rendered and written, and what became of them."""

import contextlib
import dataclasses
import hashlib
import pickle
from collections import Counter
from typing import Any

from apache_beam.typehints.decorators import no_annotations

import cmr_jax
from cmr_jax import schema
from cmr_jax.schema import EXAMS, FRAMES
from data_prep.exam.plan import ExamPlan
from data_prep.exam.render import Rendered, render_exam
from data_prep.exchange import Exchange
from data_prep.notes import Notes
from data_prep.orders import ExamOrder, ShardOrder
from data_prep.read.reject import Reject
from data_prep.read.source import Source
from data_prep.shelf import records
from data_prep.workshop import ORDERS, RESULTS, SHARDS

TABLES = (EXAMS, FRAMES)


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
    names: dict[str, str]  # in the exchange, by table
    exams: int = 0
    frame_records: int = 0
    frames: int = 0
    stacks: Counter = dataclasses.field(default_factory=Counter)
    checksums: dict[str, str] = dataclasses.field(default_factory=dict)
    file_rejects: list[Reject] = dataclasses.field(default_factory=list)
    exam_rejects: list[Reject] = dataclasses.field(default_factory=list)


def name_of(order: ShardOrder, geometry: Geometry) -> str:
    """Of an order: the same one alone has it."""
    content = pickle.dumps((order, geometry, schema.SCHEMA_VERSION, cmr_jax.__version__))
    return f"{order.split}-{order.shard:05d}-{hashlib.sha256(content).hexdigest()[:16]}"


@no_annotations  # Beam would type-check the graph against ours
def write_shard(name: str, source: Source, geometry: Geometry, exchange: Exchange) -> None:
    """One shard of both tables; the result, which comes last, says that they are whole."""
    order: ShardOrder = pickle.loads(exchange.get(f"{ORDERS}/{name}"))
    result = ShardResult(order.split, order.shard, {t: f"{SHARDS}/{name}.{t}" for t in TABLES})
    notes = Notes(exchange, EXAMS)
    with contextlib.ExitStack() as stack:
        exams, frames = (
            stack.enter_context(records.shard_writer(stack.enter_context(exchange.writing(n))))
            for n in result.names.values()
        )
        for exam in order.exams:
            plan: ExamPlan = pickle.loads(exchange.get(exam.plan))
            rendered, rejects = render_exam(plan, source.load, geometry.spacing_mm, geometry.size)
            result.file_rejects += rejects
            if not rendered:
                said = "no stack could be read"
                result.exam_rejects.append(Reject(rejects[0].why, plan.study_uid, said))
            else:
                record, videos = _shelved(exam, plan, rendered, result)
                for video in videos:
                    frames.write(records.serialize(FRAMES, video))
                exams.write(records.serialize(EXAMS, record))
            notes.add(exam.exam_id.encode(), 1)
    notes.leave()
    exchange.put(f"{RESULTS}/{name}", pickle.dumps(result))


def collect(
    exchange: Exchange, orders: list[ShardOrder], results: list[ShardResult], out: str
) -> None:
    """Brings every shard from the exchange to its place in OUT."""
    for order, result in zip(orders, results, strict=True):
        for table, name in result.names.items():
            path = records.shard_path(out, table, order.split, order.shard, order.shards)
            exchange.fetch(name, path)


def _shelved(
    exam: ExamOrder, plan: ExamPlan, rendered: list[Rendered], result: ShardResult
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
