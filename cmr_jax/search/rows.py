"""Exams as rows of an index: what they show, who was examined, what words say of them, vectors."""

import hashlib
import logging
import os
import time
from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np
import pyarrow as pa

from cmr_jax import hashing, metrics
from cmr_jax.data.broken import BrokenRecord
from cmr_jax.data.shards import splits_of
from cmr_jax.data.sites import Some
from cmr_jax.data.source import Exam, ExamSource, read_manifest
from cmr_jax.embedding import Embedder, check_finite
from cmr_jax.evals.trust import missing
from cmr_jax.evals.zero_shot import Asked
from cmr_jax.schema import Sequence, View
from cmr_jax.search.about import FINDING, About
from cmr_jax.search.index import EXAM, KEY, Index, one_of
from cmr_jax.types import Batch

AT_ONCE = 64  # exams that are written together: what a run that is stopped loses at most
TOLD_EVERY_S = 10
PARTS = {  # kinds of picture that have a vector of their own
    "short_axis": missing.Without("", views=tuple(v for v in View if v is not View.SAX)),
    "chamber_4": missing.Without("", views=tuple(v for v in View if v is not View.CH4)),
    "chamber_2": missing.Without("", views=tuple(v for v in View if v is not View.CH2)),
    "chamber_3": missing.Without("", views=tuple(v for v in View if v is not View.CH3)),
    "enhancement": missing.Without(
        "", sequences=tuple(s for s in Sequence if s not in missing.LATE)
    ),
}
FACTS = (
    pa.field("patient_id", pa.string()),
    pa.field("site", pa.string()),
    pa.field("vendor", pa.string()),
    pa.field("field_strength_t", pa.float32()),
    pa.field("sex", pa.string()),
    pa.field("age", pa.float32()),  # the first year of the band of ten
    pa.field("pictures", pa.list_(pa.string())),  # "SAX", "CINE", and both together, as "SAX CINE"
    pa.field("impression", pa.string()),
    pa.field("data", pa.string()),
    pa.field("split", pa.string()),
    pa.field("row", pa.int64()),
)
WHO = ("patient_id", "site", "vendor", "sex", "age")  # of those: in a worklist
PLACE = ("data", "split", "row")  # of those: prepared data, and a row of it, where pictures are

log = logging.getLogger(__name__)


def about(model: Embedder, weights: str, asked: Asked, data: str) -> About:
    """What an index of that model is, whose first exams are of that data."""
    manifest = read_manifest(data)
    return About(
        model=fingerprint(model),
        weights=weights,
        width=model.cfg.model.embedding,
        questions=asked.questions,
        parts=tuple(PARTS),
        spacing_mm=manifest["spacing_mm"],
        size=manifest["size"],
    )


def fingerprint(model: Embedder) -> str:
    """The same for the same weights and vocabulary, wherever they lie."""
    sums = sorted(hashing.checksums(jax.device_get(model.weights.params)).items())
    return hashlib.sha256(repr(sums).encode() + model.weights.tokenizer.model).hexdigest()[:16]


def columns(asked: Asked) -> list[pa.Field]:
    """All but the key and the vectors."""
    return [*FACTS, *(pa.field(FINDING + name, pa.float32()) for name in asked.questions)]


class Filled(NamedTuple):
    """What became of a split's exams."""

    added: int
    moved: int  # were there already, of pictures that lay elsewhere
    broken: int  # cannot be read, and are named in the log


def fill(index: Index, model: Embedder, asked: Asked, data: str, split: str) -> Filled:
    """Adds the exams of a split that are not there yet, and tells those that are where their pictures
    lie now.  One that was stopped goes on."""
    source = ExamSource(os.path.abspath(data), split)
    with index.writing() as writer:
        wanted, moved, broken = _news(index, source)
        if moved:
            writer.place(pa.table({KEY: list(moved), **_places(source, list(moved.values()))}))
        added, done, began, told = 0, 0, time.monotonic(), time.monotonic()
        for first in range(0, len(wanted), AT_ONCE):
            part = wanted[first : first + AT_ONCE]
            made = _table(index, model, asked, source, part)
            writer.add(made)
            added, done = added + len(made), done + len(part)
            if time.monotonic() - told > TOLD_EVERY_S:
                told = time.monotonic()
                left = (told - began) / done * (len(wanted) - done)
                log.info("%s: %d of %d exams, %.0f s left", split, done, len(wanted), left)
    return Filled(added, len(moved), broken + len(wanted) - added)


def _news(index: Index, source: ExamSource) -> tuple[list[int], dict[str, int], int]:
    """Exams that the index lacks, those that it knows from another place, and how many are broken."""
    told = index.rows("", [KEY, *PLACE]).to_pylist()
    there = {row.pop(KEY): tuple(row.values()) for row in told}
    wanted, moved, broken = [], {}, 0
    for i in range(len(source)):
        try:
            exam_id = source[i].exam_id
        except BrokenRecord as error:
            log.warning("%s cannot be read: %s", source.name(i), error)
            broken += 1
            continue
        if exam_id not in there:
            wanted.append(i)
        elif there[exam_id] != (source.path, source.split, i):
            moved[exam_id] = i
    return wanted, moved, broken


def _places(source: ExamSource, rows: list[int]) -> dict[str, list]:
    values = ([source.path] * len(rows), [source.split] * len(rows), rows)
    return dict(zip(PLACE, values, strict=True))


def _table(
    index: Index, model: Embedder, asked: Asked, source: ExamSource, rows: list[int]
) -> pa.Table:
    """Those of them that can be read."""
    left_out: set[int] = set()
    batches = list(model.batches(Some(source, rows), left_out))
    rows = [row for i, row in enumerate(rows) if i not in left_out]
    if not rows:
        return index.schema.empty_table()
    exams = [source[i] for i in rows]
    whole = check_finite(metrics.normalise(model.videos(iter(batches))), source.split)
    vectors = {EXAM: whole} | {
        name: _of_part(model, batches, exams, part) for name, part in PARTS.items()
    }
    facts = [_facts(exam) for exam in exams]
    plain = {KEY: [e.exam_id for e in exams]}
    plain |= {name: [fact[name] for fact in facts] for name in facts[0]}
    plain |= _places(source, rows)
    plain |= {FINDING + name: score for name, score in asked.scores(whole).items()}
    plain |= {
        name: [None if np.isnan(v).any() else v for v in array] for name, array in vectors.items()
    }
    schema = index.schema
    return pa.table({name: pa.array(plain[name], schema.field(name).type) for name in schema.names})


def _of_part(
    model: Embedder, batches: list[tuple[Batch, int]], exams: list[Exam], part: missing.Without
) -> np.ndarray:
    """Unit vectors of one kind of picture alone; NaN where an exam has none of it."""
    vectors = metrics.normalise(model.videos(iter(batches), part))
    kept = np.concatenate(
        [np.any(np.asarray(b.frame_mask) & ~part.taken(b), 1)[:real] for b, real in batches]
    )
    return np.where(kept[:, None], vectors, np.nan)


def _facts(exam: Exam) -> dict:
    first = exam.age_band.split("-")[0].rstrip("+")
    return {
        "patient_id": exam.patient_id,
        "site": exam.site,
        "vendor": exam.vendor,
        "field_strength_t": exam.field_strength_t,
        "sex": exam.sex,
        "age": float(first) if first.isdigit() else None,
        "pictures": sorted(set(_pictures(exam))),
        "impression": exam.impression,
    }


def _pictures(exam: Exam) -> Iterator[str]:
    for stack in exam.stacks:
        kind = "LGE" if stack.sequence in missing.LATE else stack.sequence.name
        yield from (stack.view.name, kind, f"{stack.view.name} {kind}")


class Scored(NamedTuple):
    """Exams that are in no index, by what words say of them."""

    exam_ids: list[str]
    who: list[dict]  # the facts of WHO of each
    scores: dict[str, np.ndarray]  # by finding
    broken: int  # exams that cannot be read, and are named in the log


def scored(model: Embedder, asked: Asked, data: list[str], splits: list[str]) -> Scored:
    """The exams of some splits of some data.  A ValueError where there are none."""
    exams, vectors, broken = [], [], 0
    for path in data:
        for split in (s for s in splits if s in splits_of(path)):
            source, left_out = ExamSource(path, split), set[int]()
            made = [model.video(b)[:real] for b, real in model.batches(source, left_out)]
            vectors += [check_finite(metrics.normalise(part), split) for part in made]
            exams += [source[i] for i in range(len(source)) if i not in left_out]
            broken += len(left_out)
    if not exams:
        there = sorted({split for path in data for split in splits_of(path)})
        raise ValueError(
            f"{', '.join(data)}: no exam of {', '.join(splits)} that can be read; "
            f"there are the splits {', '.join(there)}."
        )
    scores = asked.scores(np.concatenate(vectors))
    who = [{name: fact[name] for name in WHO} for fact in map(_facts, exams)]
    return Scored([e.exam_id for e in exams], who, scores, broken)


def drop(index: Index, exam_ids: list[str]) -> int:
    """Takes exams out, off the disk too; how many.  A ValueError, and nothing happens, where the index
    lacks one."""
    where, wanted = one_of(KEY, exam_ids), set(exam_ids)
    with index.writing():
        pass  # what a removal that was stopped has left
    if absent := sorted(wanted - set(index.ids(where))):
        raise ValueError(f"nothing was removed: the index has no {', '.join(absent)}.")
    with index.writing() as writer:
        writer.remove(where)
    return len(wanted)
