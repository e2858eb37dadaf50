"""An index that changes: what is new, moved or broken, who writes while others read, who is killed."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from cmr_jax.data.source import ExamSource
from cmr_jax.schema import EXAMS, FRAMES
from cmr_jax.search import index, rows, terminal
from cmr_jax.search.index import KEY, Index
from cmr_jax.search.query import Searcher
from cmr_jax.search.room.exams import Exams
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


def test_data_that_was_moved_is_found_again(copied, fill, tiny, unlearned, tmp_path, monkeypatch):
    opened = Index(copied.path)
    spoilt.copy(tiny, tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    before = opened.vectors("")
    assert fill(opened, "moved") == Filled(0, len(opened), 0)
    assert set(opened.rows("", ["data"])["data"].to_pylist()) == {str(tmp_path / "moved")}
    assert sorted(map(tuple, opened.vectors(""))) == sorted(map(tuple, before))
    exam_id = opened.ids()[0]
    source, exam, _ = Exams(Searcher(opened, unlearned), {}).open(exam_id)
    assert (source.path, exam.exam_id) == (str(tmp_path / "moved"), exam_id)
    assert fill(opened, "moved") == Filled(0, 0, 0)


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


def test_nothing_is_written_where_nothing_is_new(copied, fill, tiny):
    opened = Index(copied.path)
    before = {f: f.stat().st_mtime_ns for f in copied.path.rglob("*") if f.name != ".lock"}
    assert fill(opened, tiny) == Filled(0, 0, 0)
    assert before == {f: f.stat().st_mtime_ns for f in copied.path.rglob("*") if f.name != ".lock"}


def test_a_file_is_summed_once(copied, monkeypatch):
    summed = []
    honest = index.seal._sum
    monkeypatch.setattr(index.seal, "_sum", lambda file: summed.append(file.name) or honest(file))
    with copied.writing() as writer:
        writer.remove("false")
        before = {f.name for f in (copied.path / "exams.lance" / "data").iterdir()}
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
