"""Builds that are stopped, repeated and added to: nothing is lost, nothing differs."""

import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from cmr_jax.data.source import ExamSource
from data_prep import update, workshop
from tests.conftest import CHILD, ROOT, digest, prepare, prepare_args, run

MANY = "phantom:tiny:exams=40"
SHARDS = ("--exams-per-shard", "3", "--splits", "train=0.7,test=0.3")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> pathlib.Path:
    out = tmp_path_factory.mktemp("whole") / "data"
    prepare(out, *SHARDS, dicom=MANY)
    return out


def test_killed_again_and_again_and_started_anew_it_ends_in_the_same_bytes(whole, tmp_path):
    out, chance = tmp_path / "data", random.Random(3)
    command = [sys.executable, "-m", *prepare_args(out, *SHARDS, dicom=MANY)]
    reused = []
    for _ in range(5):
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | CHILD,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wanted = len(done(out)) + chance.randrange(3)
        began = time.monotonic()
        while process.poll() is None and len(done(out)) <= wanted:
            time.sleep(0.02)
            assert time.monotonic() - began < 120
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert not (out / "manifest.json").exists() or process.returncode == 0
        reused.append({p: os.stat(p).st_ino for p in done(out)})
        if process.returncode == 0:
            shutil.rmtree(out)
    prepare(out, *SHARDS, dicom=MANY)
    assert digest(out) == digest(whole)
    kept = [p for p, inode in reused[0].items() if reused[1].get(p) == inode]
    assert kept  # shards that were whole are not written again
    assert not (tmp_path / "data.unfinished").exists()


def written(out: pathlib.Path) -> list[str]:
    """Shards under their names."""
    return sorted(str(p) for p in out.rglob("*.array_record-*"))


def done(out: pathlib.Path) -> list[str]:
    """Shards that a build which is still at work, or was stopped, has finished."""
    shards = (workshop.folder_of(out) / workshop.SHARDS).glob("*.exams")
    return sorted(str(p) for p in shards)


@pytest.fixture
def grown(tmp_path) -> pathlib.Path:
    """A build of 20 exams to which 20 more were added."""
    out = tmp_path / "data"
    prepare(out, *SHARDS, dicom="phantom:tiny:exams=20")
    before = {p.name.split("-of-")[0]: p.read_bytes() for p in map(pathlib.Path, written(out))}
    vocabulary = (out / "tokenizer.model").read_bytes()
    done = prepare(out, *SHARDS, "--update", dicom=MANY)
    assert "20 exams: already_there" in done.stdout
    after = {p.name.split("-of-")[0]: p.read_bytes() for p in map(pathlib.Path, written(out))}
    assert before.items() <= after.items()  # what was there is there byte for byte
    assert (out / "tokenizer.model").read_bytes() == vocabulary
    return out


def exams(out: pathlib.Path) -> dict[str, tuple]:
    found = {}
    for split in ("train", "test"):
        source = ExamSource(str(out), split)
        for i in range(len(source)):
            exam = source[i]
            stack = exam.stacks[0]
            video = source.frames(stack, 0)
            found[exam.exam_id] = (split, exam.patient_id, exam.impression, video.tobytes())
    return found


def test_an_update_holds_what_a_whole_build_holds(whole, grown):
    assert exams(grown) == exams(whole)
    sums = [json.loads((p / "manifest.json").read_text())["pixel_sha256"] for p in (grown, whole)]
    assert sums[0] == sums[1]
    assert (grown / "labels.csv").read_text() == (whole / "labels.csv").read_text()


def test_an_update_with_nothing_new_changes_nothing(tmp_path):
    out = tmp_path / "data"
    prepare(out, dicom="phantom:tiny:exams=6")
    before = digest(out)
    done = prepare(out, "--update", dicom="phantom:tiny:exams=6")
    assert "6 exams: already_there" in done.stdout
    assert digest(out) == before
    assert [p.name for p in tmp_path.iterdir() if p.is_dir()] == ["data"]


def test_an_update_with_other_options_says_which(tmp_path):
    out = tmp_path / "data"
    refused = prepare(out, "--update", dicom="phantom:tiny:exams=6", check=False)
    assert (refused.returncode, "no finished build" in refused.stderr) == (2, True)
    prepare(out, dicom="phantom:tiny:exams=6")
    refused = prepare(out, "--update", "--size", "48", dicom="phantom:tiny:exams=8", check=False)
    assert refused.returncode == 2
    assert "has size 32, this build 48" in refused.stderr


def test_an_exchange_that_was_stopped_is_finished(tmp_path):
    out = tmp_path / "data"
    update.beside(out).mkdir()
    update.recover(out)
    assert not out.exists()  # what is not whole takes no place
    (update.beside(out) / "manifest.json").write_text("{}")
    update.recover(out)
    assert (out / "manifest.json").exists()
    assert not update.beside(out).exists()


def test_overwriting_leaves_what_is_not_ours(tmp_path):
    out = tmp_path / "data"
    prepare(out, dicom="phantom:tiny:exams=6")
    (out / "notes.txt").write_text("mine")
    refused = prepare(out, dicom="phantom:tiny:exams=6", check=False)
    assert "holds a finished build" in refused.stderr
    prepare(out, "--overwrite", dicom="phantom:tiny:exams=8")
    assert (out / "notes.txt").read_text() == "mine"
    assert json.loads((out / "manifest.json").read_text())["account"]["exams_written"] == 8


def test_two_builds_on_one_output_do_not_mix(tmp_path):
    out = tmp_path / "data"
    with workshop.enter(out):
        refused = run(*prepare_args(out, dicom="phantom:tiny:exams=6"), check=False)
    assert (refused.returncode, "another build is at work" in refused.stderr) == (2, True)
    prepare(out, dicom="phantom:tiny:exams=6")
    assert not workshop.folder_of(out).exists()


def test_an_update_keeps_labels_that_are_not_given_again(tmp_path):
    from data_prep.phantom.__main__ import main

    assert main(["--out", str(tmp_path), "--profile", "tiny", "--exams", "6"]) == 0
    key = tmp_path / "key"
    key.write_bytes(os.urandom(32))
    key.chmod(0o600)
    more = ("--key-file", str(key), "--reports", str(tmp_path / "reports.csv"))
    held = sorted((tmp_path / "dicom").iterdir())[-1]
    held.rename(tmp_path / "later")
    labels = f"--labels={tmp_path / 'labels.csv'}"
    prepare(tmp_path / "out", *more, labels, dicom=str(tmp_path / "dicom"))
    before = (tmp_path / "out" / "labels.csv").read_text()
    (tmp_path / "later").rename(held)
    done = prepare(tmp_path / "out", *more, "--update", dicom=str(tmp_path / "dicom"))
    assert (tmp_path / "out" / "labels.csv").read_text() == before
    assert "5 reports: already_there" in done.stdout


def test_what_a_worker_says_of_a_header_is_withheld(tmp_path, monkeypatch, capsys):
    from data_prep import build
    from data_prep.exam import plan

    def broken(*_):
        raise ValueError("Miller^Anna")

    monkeypatch.setattr(plan, "age_band", broken)
    args = prepare_args(tmp_path / "out", dicom="phantom:tiny:exams=2")[1:]
    assert build.main(args) == 1
    said = capsys.readouterr()
    assert "a worker failed: ValueError at plan.py" in said.err
    assert "Miller" not in said.err + said.out


def test_a_frame_that_is_lost_on_the_way_is_missed(tmp_path, monkeypatch):
    from data_prep import build, pipeline

    honest = pipeline.load_summaries
    monkeypatch.setattr(pipeline, "load_summaries", lambda e: (honest(e)[0][1:], honest(e)[1]))
    args = prepare_args(tmp_path / "out", dicom="phantom:tiny:exams=4")[1:]
    with pytest.raises(RuntimeError, match="unaccounted for"):
        build.main(args)


@pytest.mark.parametrize("wanted", [32, 48])
def test_a_stopped_run_with_other_options_leaves_nothing_in_the_next(wanted, tmp_path, monkeypatch):
    from data_prep import build, driver

    out = tmp_path / "data"

    def built(*more: str) -> int:
        return build.main([*prepare_args(out, dicom="phantom:tiny:exams=4")[1:], *more])

    def stopped(*_):
        raise KeyboardInterrupt

    honest = driver._shelve
    monkeypatch.setattr(driver, "_shelve", stopped)
    for size in ("32", "48"):
        with pytest.raises(KeyboardInterrupt):
            built("--size", size)
    monkeypatch.setattr(driver, "_shelve", honest)
    assert built("--size", str(wanted)) == 0
    shapes = {
        source.frames(source[i].stacks[0], 0).shape[1:]
        for source in (ExamSource(str(out), s) for s in ("train", "val"))
        for i in range(len(source))
    }
    assert shapes == {(wanted, wanted)}


def test_overwriting_forgets_what_a_stopped_run_left(tmp_path):
    from data_prep import build

    out = tmp_path / "data"

    def stopped():
        with workshop.enter(out) as exchange:
            exchange.put(f"{workshop.RESULTS}/1", b"of files that were repaired since")
            raise KeyboardInterrupt

    args = prepare_args(out, dicom="phantom:tiny:exams=2")[1:]
    for more, left in (((), True), (("--overwrite",), False)):
        with pytest.raises(KeyboardInterrupt):
            stopped()
        build.prepare(build.parse([*args, *more])[0])
        assert workshop.folder_of(out).exists() == left
