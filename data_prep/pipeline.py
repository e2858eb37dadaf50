"""The two linear Beam graphs of the preparation, and what flows through them.

    graph 1  units -> headers -> GroupByKey(study) -> plans -> GroupByKey(file) -> summaries
    graph 2  shard orders -> pixels -> shards

Elements are headers and names: pixels never go through a shuffle.  Plans, summaries and shards
lie in the exchange.  Both graphs are chains, which is what every runner gets right.
"""

import dataclasses
import hashlib
import os
import pickle
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.typehints.decorators import no_annotations

from cmr_jax.schema import EXAMS
from data_prep.engine import Engines, withheld
from data_prep.exam.plan import Choice, ExamPlan, ExamSummary, plan_exam
from data_prep.exchange import Exchange
from data_prep.notes import Notes
from data_prep.orders import ShardOrder
from data_prep.read import instance
from data_prep.read.instance import Instance
from data_prep.read.reject import Reject
from data_prep.read.source import Source
from data_prep.shards import Geometry, ShardResult, name_of, write_shard
from data_prep.workshop import ORDERS, PLANS, RESULTS, SUMMARIES

HEADERS = "headers"  # the stage of graph 1; that of graph 2 counts exams
SUMMARY_FILES = 64
TOGETHER = 1000  # headers that travel as one element, at most
# A worker takes five seconds to start.  In twice that time one process reads the headers of so many
# folders, or renders so many exams.
UNITS_PER_WORKER, EXAMS_PER_WORKER = 1000, 60


@dataclasses.dataclass(frozen=True)
class Graphs:
    """What both graphs need."""

    source: Source
    exchange: Exchange
    engines: Engines


def plan_exams(graphs: Graphs, units: list[str], choice: Choice) -> None:
    """Graph 1: reads every header and leaves plans and their summaries in the exchange."""
    options, runner = graphs.engines.for_jobs(len(units), UNITS_PER_WORKER)
    with withheld(), beam.Pipeline(runner=runner, options=options) as pipeline:
        _ = (
            pipeline
            | beam.Create([os.fsencode(unit) for unit in units])  # names may be no text
            | beam.Reshuffle()
            | "Headers" >> beam.ParDo(ReadHeaders(graphs.source, graphs.exchange))
            | "ByStudy" >> beam.GroupByKey()
            | "Plan" >> beam.Map(plan_study, choice, graphs.exchange)
            | "ByFile" >> beam.GroupByKey()
            | "Save" >> beam.Map(save_summaries, graphs.exchange)
        )


class ReadHeaders(beam.DoFn):
    """Every frame of a unit as (study, instances or rejects); notes how many there were."""

    def __init__(self, source: Source, exchange: Exchange):
        self._source, self._exchange = source, exchange

    def start_bundle(self) -> None:
        """One note for many units."""
        self._notes = Notes(self._exchange, HEADERS)

    @no_annotations  # Beam would type-check the graph against ours
    def process(self, unit: bytes) -> Iterator[tuple[str, bytes]]:
        """One unit: what gets lost between here and the plans is missed by the count."""
        count, held = 0, defaultdict(list)
        for found in self._source.heads(os.fsdecode(unit)):
            for result in [found] if isinstance(found, Reject) else instance.read(found):
                study = result.text["StudyInstanceUID"] if isinstance(result, Instance) else ""
                count += 1
                held[study].append(result)
                if len(held[study]) == TOGETHER:
                    yield study, _packed(held.pop(study))
        for study, members in held.items():
            yield study, _packed(members)
        self._notes.add(unit, count)

    def finish_bundle(self) -> None:
        """What was not noted yet."""
        self._notes.leave()


def _packed(members: list[Instance] | list[Reject]) -> bytes:
    """Headers of one study say nearly the same: together they take a twentieth of the memory."""
    return zlib.compress(pickle.dumps(members), 1)


@no_annotations
def plan_study(
    group: tuple[str, Iterable[bytes]], choice: Choice, exchange: Exchange
) -> tuple[int, tuple[str, ExamSummary | list[Reject]]]:
    """Plans one study and keeps the plan; its summary, or rejects, keyed by the file they go to."""
    study, packed = group
    members = [one for pack in packed for one in pickle.loads(zlib.decompress(pack))]
    made = plan_exam(study, members, choice) if study else members
    if not isinstance(made, ExamPlan):
        return _file_of(study), (study, made)
    content = pickle.dumps(made)
    digest = hashlib.sha256(content).hexdigest()
    name = f"{PLANS}/{digest[:2]}/{digest}"
    exchange.put(name, content)
    return _file_of(study), (study, made.summary(name))


@no_annotations
def save_summaries(group: tuple[int, Iterable[Any]], exchange: Exchange) -> None:
    """Keeps the summaries and rejects of one file."""
    number, members = group
    content = pickle.dumps(sorted(members, key=lambda item: item[0]))
    exchange.put(f"{SUMMARIES}/{number:05d}", content)


def load_summaries(exchange: Exchange) -> tuple[list[ExamSummary], list[Reject]]:
    """What graph 1 left, in order of study."""
    summaries, rejects = [], []
    for name in exchange.names(SUMMARIES):
        for _, made in pickle.loads(exchange.get(name)):
            if isinstance(made, ExamSummary):
                summaries.append(made)
                rejects += made.rejects
            else:
                rejects += made
    return sorted(summaries, key=lambda s: s.study_uid), sorted(rejects, key=lambda r: r.where)


def _file_of(study: str) -> int:
    return int.from_bytes(hashlib.sha256(study.encode()).digest()[:4], "big") % SUMMARY_FILES


def write_shards(graphs: Graphs, orders: list[ShardOrder], geometry: Geometry) -> list[ShardResult]:
    """Graph 2: reads the chosen pixels and leaves both tables in the exchange, shard by shard.

    A shard that an earlier run of the same order finished is not written again.
    """
    exchange, names = graphs.exchange, [name_of(order, geometry) for order in orders]
    done = set(exchange.names(RESULTS))
    undone, notes = [], Notes(exchange, EXAMS)
    for order, name in zip(orders, names, strict=True):
        if f"{RESULTS}/{name}" in done:
            for exam in order.exams:
                notes.add(exam.exam_id.encode(), 1)
        else:
            exchange.put(f"{ORDERS}/{name}", pickle.dumps(order))
            undone.append(name)
    notes.leave()
    exams = sum(len(order.exams) for order in orders)
    options, runner = graphs.engines.for_jobs(exams, EXAMS_PER_WORKER)
    with withheld(), beam.Pipeline(runner=runner, options=options) as pipeline:
        _ = (
            pipeline
            | beam.Create(undone)
            | beam.Reshuffle()
            | "Shards" >> beam.Map(write_shard, graphs.source, geometry, exchange)
        )
    return [pickle.loads(exchange.get(f"{RESULTS}/{name}")) for name in names]
