"""Data that chance or a careless copy has spoilt: told, replaced, never believed."""

import dataclasses
import json
import pathlib
from collections import Counter

import numpy as np
import pytest
import tensorflow_datasets as tfds

from cmr_jax.data import example
from cmr_jax.data.broken import Broken, BrokenRecord
from cmr_jax.data.pipeline import EvalBatches, TrainBatches
from cmr_jax.data.source import Exam, ExamSource
from cmr_jax.schema import EXAMS, FRAMES
from cmr_jax.tokenizer import Tokenizer
from tests import spoilt

CASES = 160


@pytest.fixture
def data(tiny, tmp_path) -> pathlib.Path:
    return spoilt.copy(tiny, tmp_path / "data")


@pytest.fixture
def cfg(smoke, data):
    smoke.data.path, smoke.data.broken_share = str(data), 0.05
    return smoke


def batches(cfg, *host: int) -> TrainBatches:
    return TrainBatches(cfg, Tokenizer.load(cfg.data.path), *host)


def everything(source: ExamSource, index: int) -> tuple[str, str]:
    """An exam's id, and all that its records hold."""
    exam = source[index]
    stored = dataclasses.replace(
        exam, stacks=tuple(dataclasses.replace(s, first_frame=0) for s in exam.stacks)
    )
    videos = [source.frames(s, i) for s in exam.stacks for i in range(len(s.slice_mm))]
    return exam.exam_id, f"{stored} {[(v.shape, hash(v.tobytes())) for v in videos]}"


def test_a_record_is_what_tfds_reads(tiny):
    for table in (EXAMS, FRAMES):
        theirs = tfds.builder_from_directory(str(tiny / table)).as_data_source("test")
        ours = ExamSource(str(tiny), "test")
        records = ours._exams if table == EXAMS else ours._frames
        assert len(records) == len(theirs)
        for i in range(len(theirs)):
            fields = example.parse(records.read(i))
            assert fields.keys() == theirs[i].keys()
            for name, value in theirs[i].items():
                found = [v if isinstance(v, int | float) else bytes(v) for v in fields[name]]
                assert found == np.ravel(value).tolist() or found == [value], name


def test_numbers_of_a_record_keep_their_sign_and_may_lie_apart():
    def message(number: int, content: bytes) -> bytes:
        return bytes([number << 3 | 2, len(content)]) + content

    minus = bytes([8]) + b"\xff" * 9 + b"\x01"  # not packed
    entry = message(1, b"n") + message(2, message(3, minus + bytes([8, 5])))
    assert example.parse(message(1, message(1, entry))) == {"n": [-1, 5]}
    with pytest.raises(ValueError, match="longer"):
        example.parse(message(1, message(1, entry))[:-1])


def test_a_broken_record_is_replaced_by_the_next(cfg, data):
    whole, ids = (
        batches(cfg),
        [e.exam_id for e in map(ExamSource(str(data), "train").__getitem__, range(42))],
    )
    before = [next(whole) for _ in range(6)]
    spoilt.damage(spoilt.shard(data, EXAMS), ids[2])
    spoilt.damage(spoilt.shard(data, EXAMS), ids[3])
    after = batches(cfg)
    position = after.state
    loaded = [next(after) for _ in range(6)]
    gone = {ids[2]: ids[4], ids[3]: ids[4]}
    assert [b.exams for b in loaded] == [tuple(gone.get(e, e) for e in b.exams) for b in before]
    met = {b.record: b.reason for load in loaded for b in load.broken}
    assert set(met) == {f"exam {i} of train in {data}" for i in (2, 3)}
    assert (
        met[f"exam 2 of train in {data}"]
        == f"record 2 of {spoilt.shard(data, EXAMS).name} is damaged"
    )
    for old, new in zip(before, loaded, strict=True):  # the others are as they were
        same = np.array([exam not in gone for exam in old.exams])
        np.testing.assert_array_equal(old.batch.video[same], new.batch.video[same])
    # And so for two hosts, and after coming back.
    halves = [batches(cfg, host, 2) for host in range(2)]
    for load in loaded:
        parts = [next(half) for half in halves]
        assert [e for pair in zip(*(p.exams for p in parts), strict=True) for e in pair] == [
            *load.exams
        ]
        assert Counter(b for p in parts for b in p.broken) == Counter(load.broken)
    after.restore(position)
    assert [next(after).exams for _ in range(6)] == [b.exams for b in loaded]


def test_the_last_exam_is_replaced_by_the_first(cfg, data):
    source = ExamSource(str(data), "train")
    ids = [source[i].exam_id for i in range(len(source))]
    spoilt.damage(spoilt.shard(data, EXAMS, 5), ids[-1])
    after = batches(cfg)
    seen = Counter(e for _ in range(21) for e in next(after).exams)  # four times through
    assert seen[ids[-1]] == 0
    assert seen[ids[0]] == 8


def test_an_exam_whose_slice_is_missing_is_replaced(cfg, data):
    ids = [ExamSource(str(data), "train")[i].exam_id for i in range(2)]
    spoilt.damage(spoilt.shard(data, FRAMES), ids[0])
    cfg.data.clip.sax_slices = cfg.data.clip.lge_slices = 20  # all are read
    after = batches(cfg)
    loaded = [next(after) for _ in range(6)]
    assert not any(ids[0] in b.exams for b in loaded)
    said = f"record 0 of {spoilt.shard(data, FRAMES).name} is damaged"
    assert {b for load in loaded for b in load.broken} == {
        Broken(f"exam 0 of train in {data}", said)
    }


def test_a_control_borrows_no_report_that_is_broken(cfg, data):
    cfg.data.permute_reports = True
    spoilt.damage(spoilt.shard(data, EXAMS), ExamSource(str(data), "train")[0].exam_id)
    after = batches(cfg)
    met = [b for _ in range(21) for b in next(after).broken]
    assert Counter(met) == {met[0]: 8}  # as an exam, and as a report, in each of four rounds


def test_more_than_the_share_ends_the_run(cfg, data):
    file = spoilt.shard(data, EXAMS, 1)
    file.write_bytes(file.read_bytes()[:-1000])
    after = batches(cfg)
    with pytest.raises(
        ValueError, match=r"3 of 42 exams cannot be read, more than data.broken_share=0.05"
    ) as told:
        [next(after) for _ in range(6)]
    assert "its shard holds 0 records, not 7" in str(told.value)
    assert "\n" not in str(told.value)
    assert not getattr(told.value, "__notes__", ())  # of Grain, which say where in its graph


def test_a_record_that_is_met_again_counts_once(cfg, data):
    cfg.data.broken_share = 1 / 42
    spoilt.damage(spoilt.shard(data, EXAMS), ExamSource(str(data), "train")[0].exam_id)
    after = batches(cfg)
    assert len([b for _ in range(21) for b in next(after).broken]) == 4


@pytest.mark.parametrize("table", [EXAMS, FRAMES])
def test_a_shard_that_is_gone_is_named_and_not_replaced(cfg, data, table):
    cfg.data.broken_share = 0.9
    after, file = batches(cfg), spoilt.shard(data, table, 3)
    file.unlink()
    with pytest.raises(ValueError, match=rf"shard .*/{file.name} cannot be opened \(No such"):
        [next(after) for _ in range(6)]
    with pytest.raises(ValueError, match=file.name) as told:
        ExamSource(str(data), "train")
    assert not isinstance(told.value, BrokenRecord)


def test_evaluation_names_a_broken_record(cfg, data):
    source = ExamSource(str(data), "test")
    spoilt.damage(spoilt.shard(data, EXAMS, 1, "test"), source[9].exam_id)
    with pytest.raises(
        ValueError, match=r"exam 9 of test in .*record 3 of .* is damaged.*leaves nothing out"
    ):
        list(EvalBatches(ExamSource(str(data), "test"), cfg, Tokenizer.load(data)))


@pytest.mark.parametrize(
    "change",
    [
        {"raw": b"not an Example"},
        {"raw": b""},
        {"exam_id": b"\xff\xfe"},
        {"shard": 77},
        {"stacks": b"[{"},
        {"stacks": b'[{"view": "SAX"}]'},
        {"spacing_mm": 0.0},
        {"spacing_mm": float("inf")},
        {"slice_mm": [float("nan")] * 9},
        {"slice_mm": []},
        {"phases": [["soon"]]},
        {"view": "BACK"},
    ],
    ids=str,
)
def test_an_exam_that_is_not_what_the_schema_says_is_broken(data, change):
    file = spoilt.shard(data, EXAMS)
    if not change.keys() & {"raw", "exam_id", "shard", "stacks"}:
        exam = ExamSource(str(data), "train")[2]
        change = {"stacks": json.dumps([s.to_json() | change for s in exam.stacks])}
    spoilt.rewrite(file, 2, **change)
    source = ExamSource(str(data), "train")
    assert isinstance(source[1], Exam)
    with pytest.raises(BrokenRecord, match=rf"record 2 of {file.name} holds no exam \(\w+\)$"):
        source[2]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"raw": b"not an Example"}, "holds no frames"),
        ({"shape": "8x32x33"}, "holds no frames"),
        ({"shape": "4x64x32"}, "another shape"),
        ({"shape": "8192"}, "another shape"),
        ({"codec": "zip"}, "holds no frames"),
        ({"exam_id": "somebody"}, "another exam"),
    ],
    ids=str,
)
def test_frames_that_are_not_what_the_exam_says_are_broken(data, change, says):
    file = spoilt.shard(data, FRAMES)
    spoilt.rewrite(file, 0, **change)
    source = ExamSource(str(data), "train")
    exam = source[0]
    assert source.frames(exam.stacks[1], 0, exam.exam_id).any()
    with pytest.raises(BrokenRecord, match=rf"record 0 of {file.name} .*{says}"):
        source.frames(exam.stacks[0], 0, exam.exam_id)


def outcome_of(source: ExamSource, index: int, written: dict[str, str]) -> str:
    try:
        exam, found = everything(source, index)
    except BrokenRecord:
        return "broken"
    except ValueError as error:
        return "refused" if "cannot be opened" in str(error) else f"told badly: {error}"
    return "whole" if found == written[exam] else "believed though it is spoilt"


def outcomes_of(data: pathlib.Path, shard: int, written: dict[str, str]) -> Counter[str]:
    """Of the seven exams of a shard."""
    try:
        source = ExamSource(str(data), "train")
    except ValueError as error:
        clear = str(data) in str(error) or "schema version" in str(error)
        return Counter(["refused" if clear else f"told badly: {error}"])
    exams = range(7 * shard, min(7 * shard + 7, len(source)))
    return Counter(outcome_of(source, i, written) for i in exams)


def test_what_chance_has_spoilt_is_whole_or_told(tiny, data):
    """A record that is read is what was written, or said to be broken, or all is refused."""
    source = ExamSource(str(tiny), "train")
    written = dict(everything(source, i) for i in range(len(source)))
    files = [p for p in sorted(data.rglob("*")) if "train" in p.name or p.suffix == ".json"]
    outcomes: Counter[str] = Counter()
    for case in range(CASES):
        rng, file = np.random.default_rng(case), files[case % len(files)]
        content = file.read_bytes()
        file.write_bytes(spoilt.mutate(content, rng))
        shard = int(file.name[-14:-9]) if "train" in file.name else int(rng.integers(6))
        outcomes += outcomes_of(data, shard, written)
        file.write_bytes(content)
    print(CASES, "files spoilt, exams", dict(outcomes))
    assert set(outcomes) == {"whole", "broken", "refused"}
    assert min(outcomes.values()) > 10
