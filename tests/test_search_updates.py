"""An index that changes: what is new, moved or broken, who writes while others read, who is killed."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from cmr_jax.data.broken import BrokenRecord
from cmr_jax.data.source import ExamSource
from cmr_jax.schema import EXAMS, FRAMES
from cmr_jax.search import index, places, rows, terminal
from cmr_jax.search.about import About
from cmr_jax.search.index import EXAM, KEY, Index
from cmr_jax.search.query import Searcher
from cmr_jax.search.request import Query, vector_of
from cmr_jax.search.rows import Filled
from tests import search_writer, spoilt
from tests.conftest import CHILD, ROOT

pytestmark = pytest.mark.usefixtures("hasty")


@pytest.fixture
def copied(indexed, tmp_path):
    shutil.copytree(indexed.path, tmp_path / "index")
    return Index(tmp_path / "index")


@pytest.fixture
def fill(unlearned, asked, monkeypatch):
    monkeypatch.setattr(index, "RENEWED", index.datetime.timedelta(0))
    return lambda to, data: rows.fill(to, unlearned, asked, str(data), "train")


def test_data_that_was_moved_is_found_again(copied, fill, tiny, tmp_path, monkeypatch):
    opened = Index(copied.path)
    spoilt.copy(tiny, tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    before = opened.vectors("")
    assert fill(opened, "moved") == Filled(0, len(opened), 0)
    assert set(opened.rows("", ["data"])["data"].to_pylist()) == {str(tmp_path / "moved")}
    assert sorted(map(tuple, opened.vectors(""))) == sorted(map(tuple, before))
    exam_id = opened.ids()[0]
    source, exam, _ = places.find(opened, exam_id)
    assert (source.path, exam.exam_id) == (str(tmp_path / "moved"), exam_id)
    assert fill(opened, "moved") == Filled(0, 0, 0)


def test_pictures_that_are_gone_or_are_others_are_told(
    copied, fill, tiny, unlearned, tmp_path, caplog
):
    opened, moved = Index(copied.path), spoilt.copy(tiny, tmp_path / "moved")
    fill(opened, moved)
    first, second = opened.ids()[:2]
    with opened.writing() as writer:
        place = {name: [value] for name, value in places.row_of(opened, first, ["row"]).items()}
        writer.place(pa.table({KEY: [second], **place}))
    with pytest.raises(BrokenRecord, match="has changed since it was indexed"):
        places.find(opened, second)
    moved.rename(tmp_path / "elsewhere")
    places._source.cache_clear()
    with pytest.raises(BrokenRecord, match="Was it moved"):
        places.find(opened, first)
    searcher = Searcher(opened, unlearned)
    (hit,) = searcher(Query("LGE.", k=1))
    with caplog.at_level("WARNING", logger="cmr_jax"):
        assert searcher.with_slices(hit, vector_of(searcher.index, first)) == hit
    assert "Was it moved" in caplog.text


def test_an_exam_that_cannot_be_read_is_named_and_counted(
    unlearned, asked, fill, tiny, tmp_path, caplog
):
    data = spoilt.copy(tiny, tmp_path / "data")
    source = ExamSource(str(data), "train")
    ids = [source[i].exam_id for i in range(len(source))]
    spoilt.damage(spoilt.shard(data, EXAMS, 0), ids[2])
    for turn in range(40):  # all its slices: whichever a clip takes
        try:
            spoilt.damage(spoilt.shard(data, FRAMES, 1), ids[9], turn)
        except ValueError:
            break
    about = rows.about(unlearned, "somewhere", asked, str(data))
    made = Index.create(tmp_path / "index", about, rows.columns(asked))
    with caplog.at_level("WARNING", logger="cmr_jax"):
        found = fill(made, data)
    assert found == Filled(len(ids) - 2, 0, 2)
    assert set(made.ids()) == set(ids) - {ids[2], ids[9]}
    assert "exam 2 of train" in caplog.text
    assert "2 cannot be read" in terminal.filled(found)
    place = made.rows(f"{KEY} = '{ids[10]}'", ["row"])["row"].to_pylist()
    assert place == [10]  # what was left out moves nobody
    assert fill(made, data) == Filled(0, 0, 2)
    scored = rows.scored(unlearned, asked, [str(data)], ["train"])
    assert scored.broken == 2
    assert set(scored.exam_ids) == set(made.ids())
    assert len(scored.scores["lge"]) == len(scored.who) == len(made)


def test_nothing_is_written_where_nothing_is_new(copied, fill, tiny):
    opened = Index(copied.path)
    before = {f: f.stat().st_mtime_ns for f in copied.path.rglob("*") if f.name != ".lock"}
    assert fill(opened, tiny) == Filled(0, 0, 0)
    assert before == {f: f.stat().st_mtime_ns for f in copied.path.rglob("*") if f.name != ".lock"}


def test_a_file_is_summed_once(copied, monkeypatch):
    summed = []
    honest = index.seal._sum
    monkeypatch.setattr(index.seal, "_sum", lambda file: summed.append(file.name) or honest(file))
    before = {f.name for f in (copied.path / "exams.lance" / "data").iterdir()}
    with copied.writing() as writer:
        writer.place(pa.table({KEY: copied.ids()[:1], "site": ["another"]}))
    assert summed
    assert not set(summed) & before
    assert copied.check() > 0


def start(does: str, path, **more) -> subprocess.Popen:
    """Of tests.search_writer; once it has said its first word."""
    command = [sys.executable, "-m", "tests.search_writer", does, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | CHILD, **pipes, **more)
    assert process.stdout.readline()
    return process


def test_two_read_while_one_writes_and_is_killed(copied, fill, tiny):
    """By processes: what readers see is whole, and the next writer goes on where the killed one was."""
    count = len(copied)
    readers = [start("read", copied.path) for _ in range(2)]
    writer = start("write", copied.path)
    for _ in range(12):
        assert writer.stdout.readline()
    with pytest.raises(ValueError, match="in use by process"):
        fill(copied, tiny)
    writer.kill()
    writer.communicate()
    assert writer.returncode != 0
    for reader in readers:
        said, _ = reader.communicate("enough\n")
        assert reader.returncode == 0
        told = json.loads(said.splitlines()[-1])
        assert told["asked"] > 3
        assert len(told["seen"]) > 1
        assert {(n - count) % search_writer.ROWS for n in told["seen"]} == {0}
    opened = Index(copied.path)
    assert (len(opened) - count) % search_writer.ROWS == 0
    assert len(opened) >= count + 12 * search_writer.ROWS
    assert fill(opened, tiny) == Filled(0, 0, 0)  # nothing is new, but the seal is made good
    sealed = json.loads((copied.path / "seal.json").read_text())
    assert sealed.keys() == index.seal._files(copied.path / "exams.lance").keys()
    assert opened.check() == len(sealed)


@pytest.fixture
def many(tmp_path, monkeypatch):
    """An index of vectors alone, of so many that not all are looked at; and those vectors."""
    monkeypatch.setattr(index, "RENEWED", index.datetime.timedelta(0))
    monkeypatch.setattr(index, "APPROXIMATE_FROM", 2000)
    monkeypatch.setattr(index, "LEAST_PROBED", 4)
    about = About("", "", WIDTH, {}, (), 1.0, 1)
    made = Index.create(tmp_path / "many", about, [pa.field("site", pa.string())])
    return made, add(made, 2500)


WIDTH = 32


def add(made: Index, count: int) -> np.ndarray:
    """Exams 0, 1, ... in their order: few sites have many."""
    vectors = np.random.default_rng(count).standard_normal((count, WIDTH)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = {
        KEY: [str(i) for i in range(count)],
        "site": [f"{i % 50}" for i in range(count)],
        EXAM: pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), WIDTH),
    }
    with made.writing() as writer:
        writer.add(pa.table(rows, schema=made.schema))
    return vectors


def recall(made: Index, vectors: np.ndarray, asked: np.ndarray, where: str = "", take=slice(None)):
    """Of the ten that are truly nearest, how many are found; and their scores are exact."""
    hits = []
    for direction in asked:
        scores = vectors @ direction
        best = np.arange(len(vectors))[take][np.argsort(-scores[take])[:10]]
        found = made.nearest(direction, 10, where)
        ids = [int(name) for name in found[KEY].to_pylist()]
        np.testing.assert_allclose(found[index.SCORE].to_numpy(), scores[ids], atol=1e-5)
        hits.append(len(set(ids) & set(best.tolist())) / 10)
    return np.mean(hits)


def test_of_many_some_are_looked_at_and_of_few_that_a_filter_leaves_all(many):
    made, vectors = many
    assert index._approximate(made._table) == 50
    asked = np.random.default_rng(1).standard_normal((20, WIDTH)).astype(np.float32)
    looked = recall(made, vectors, asked)
    assert 0.5 < looked < 1  # a quarter of the partitions, of vectors without any order
    assert recall(made, vectors, asked, "site = '7'", slice(7, None, 50)) == 1
    assert made.values({"of": "site"}) == {"of": sorted(map(str, range(50)))}
    with made.writing() as writer:
        writer.place(pa.table({KEY: ["0", "1"], "site": ["", None]}))
    assert made.values({"of": "site"}) == {"of": sorted(map(str, range(50)))}


def test_many_change_and_partitions_are_drawn_anew_when_they_are_outgrown(many, monkeypatch):
    made, vectors = many
    nearest = made.nearest(vectors[3], 1)[KEY].to_pylist()
    assert nearest == ["3"]
    monkeypatch.setattr(index, "SEEN", index.datetime.timedelta(0))
    with made.writing() as writer:
        writer.remove(f"{KEY} = '3'")
    assert made.nearest(vectors[3], 1)[KEY].to_pylist() != ["3"]
    vectors = add(made, 4000)
    assert index._approximate(made._table) == 50
    assert made.nearest(vectors[3999], 1)[KEY].to_pylist() == ["3999"]
    vectors = add(made, 6400)
    assert index._approximate(made._table) == 80
    names = {one.name for one in made._table.list_indices()}
    assert names == {f"{index.APPROXIMATE}80", KEY}
    assert made.nearest(vectors[6399], 1)[KEY].to_pylist() == ["6399"]
    assert made.check() > 0
