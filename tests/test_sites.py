"""Several sites as one source: each is shuffled for itself, and they are mixed by their shares."""

import json
import pathlib
from collections import Counter

import numpy as np
import pytest

from cmr_jax import config
from cmr_jax.data import sites
from cmr_jax.data.pipeline import TrainBatches
from cmr_jax.data.sites import Sites
from cmr_jax.data.source import ExamSource
from cmr_jax.schema import EXAMS, MANIFEST_FILE
from cmr_jax.tokenizer import Tokenizer
from tests import spoilt


@pytest.fixture(scope="module")
def two(tiny, tmp_path_factory) -> tuple[str, str]:
    """42 exams of one site, 11 of another."""
    return str(tiny), str(spoilt.site(tiny, "test", tmp_path_factory.mktemp("sites") / "other"))


@pytest.fixture
def cfg(smoke, two):
    smoke.data.path, smoke.data.paths = "", two
    return smoke


def batches(cfg, *host: int) -> TrainBatches:
    return TrainBatches(cfg, Tokenizer.load(sites.vocabulary_of(cfg.data)), *host)


def ids(path: str) -> set[str]:
    source = ExamSource(path, "train")
    return {source[i].exam_id for i in range(len(source))}


def test_sites_lie_end_to_end(two):
    joined, parts = Sites(two, "train"), [ExamSource(path, "train") for path in two]
    assert len(joined) == 53
    for index in (0, 41, 42, 52):
        source, own = (parts[0], index) if index < 42 else (parts[1], index - 42)
        assert joined[index].exam_id == source[own].exam_id
        for ours, theirs in zip(joined[index].stacks, source[own].stacks, strict=True):
            for i in range(len(ours.slice_mm)):
                stored = source.frames(theirs, i)
                np.testing.assert_array_equal(joined.frames(ours, i, joined[index].exam_id), stored)
    assert (joined.site(41), joined.site(42)) == (range(42), range(42, 53))
    assert joined.name(43) == f"exam 1 of train in {two[1]}"


def test_one_site_among_several_options_is_that_site(smoke, two):
    alone = TrainBatches(smoke, Tokenizer.load(two[0]))
    smoke.data.path, smoke.data.paths = "", two[:1]
    named = TrainBatches(smoke, Tokenizer.load(two[0]))
    for _ in range(6):
        ours, theirs = next(named), next(alone)
        assert ours.exams == theirs.exams
        np.testing.assert_array_equal(ours.batch.video, theirs.batch.video)


@pytest.mark.parametrize(
    ("shares", "second"), [((), 11 / 53), ((1.0, 1.0), 0.5), ((1.0, 3.0), 0.75)]
)
def test_each_site_has_its_share_of_the_batches(cfg, two, shares, second):
    cfg.data.shares = shares
    every, theirs = batches(cfg), ids(two[1])
    loaded = [next(every) for _ in range(20)]
    drawn = Counter(exam for b in loaded for exam in b.exams)
    assert abs(sum(drawn[e] for e in theirs) - second * 160) <= 2
    for site in (ids(two[0]), theirs):  # none comes again before all of its site have come
        often = [drawn[e] for e in site]
        assert max(often) - min(often) <= 1


def test_two_hosts_see_of_two_sites_what_one_does_and_go_on_there(cfg):
    whole, halves = batches(cfg), [batches(cfg, host, 2) for host in range(2)]
    for _ in range(4):
        one, parts = next(whole), [next(half) for half in halves]
        for part in parts:
            np.testing.assert_array_equal(part.batch.video, one.batch.video[part.batch.row])
            assert part.state == one.state
    again = batches(cfg)
    again.restore(one.state)
    assert next(again).exams == next(whole).exams
    assert list(one.state.values()) == [32]


def test_a_broken_exam_is_replaced_within_its_site(cfg, two, tmp_path):
    cfg.data.broken_share, cfg.data.shares = 0.05, (1.0, 3.0)
    other = spoilt.copy(pathlib.Path(two[1]), tmp_path / "other")
    cfg.data.paths = (two[0], str(other))
    names = [ExamSource(str(other), "train")[i].exam_id for i in range(11)]
    spoilt.damage(spoilt.shard(other, EXAMS, 1), names[10])
    after = batches(cfg)
    loaded = [next(after) for _ in range(11)]  # six times through the second
    drawn = Counter(e for b in loaded for e in b.exams)
    assert drawn[names[10]] == 0
    assert drawn[names[0]] == 12
    (met,) = {b.record for load in loaded for b in load.broken}
    assert met == f"exam 10 of train in {other}"


def test_vocabularies_that_differ_are_an_error_unless_one_is_given(cfg, two, tmp_path):
    assert sites.vocabulary_of(cfg.data) == two[0]
    other = spoilt.copy(pathlib.Path(two[1]), tmp_path / "other")
    spoilt.flip(other / "tokenizer.model", 100)
    cfg.data.paths = (two[0], str(other))
    with pytest.raises(
        ValueError, match=rf"different tokenizers.*--config.data.vocabulary={two[0]}"
    ):
        sites.vocabulary_of(cfg.data)
    cfg.data.vocabulary = str(other)
    assert sites.vocabulary_of(cfg.data) == str(other)


def test_data_that_is_not_said_or_not_there_is_told(cfg, two, tmp_path):
    with pytest.raises(ValueError, match="say where prepared data lies"):
        sites.paths_of(config.Data())
    cfg.data.paths = (two[0], str(tmp_path / "none"))
    with pytest.raises(ValueError, match="none holds no prepared data"):
        sites.open_training(cfg.data)
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / MANIFEST_FILE).write_text(json.dumps([1]))
    with pytest.raises(ValueError, match=r"manifest.json cannot be read"):
        ExamSource(str(bad), "train")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"path": "A", "paths": ("A", "B")}, "both given"),
        ({"paths": ("A", "A")}, "twice"),
        ({"paths": ("A,B",)}, r"--config.data.paths=\"\('A', 'B'\)\""),
        ({"paths": ("A", "B"), "shares": (1.0,)}, "1 numbers for 2"),
        ({"paths": ("A", "B"), "shares": (1.0, 0.0)}, "above 0"),
        ({"paths": ("A", "B"), "shares": (1.0, float("nan"))}, "above 0"),
        ({"broken_share": 1.0}, "share below 1"),
    ],
    ids=str,
)
def test_options_of_sites_are_checked(smoke, change, says):
    smoke.data.path = ""
    for name, value in change.items():
        setattr(smoke.data, name, value)
    with pytest.raises(ValueError, match=says):
        config.validate(smoke)
