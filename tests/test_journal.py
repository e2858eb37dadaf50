"""What a run writes down: every step once, also after a kill; a line now and then for people."""

import errno
import json
import os

import pytest

from cmr_jax import journal


def steps(path):
    return [json.loads(line)["step"] for line in path.read_text().splitlines()]


def test_a_step_is_told_once_also_after_a_kill(tmp_path):
    with journal.Journal(tmp_path, 0) as first:
        for step in range(1, 6):
            first.write(step, {"train/loss": 1.0 / step})
    file = tmp_path / "metrics.jsonl"
    file.write_text(file.read_text() + '{"step": 6, "tra')  # killed while writing
    journal.forget_after(tmp_path, 3)
    with journal.Journal(tmp_path, 3) as again:  # the last checkpoint was of step 3
        assert steps(file) == [1, 2, 3]
        again.write(4, {"train/loss": 0.5})
    assert steps(file) == [1, 2, 3, 4]
    assert json.loads(file.read_text().splitlines()[-1]) == {
        "step": 4,
        "train/loss": 0.5,
        journal.RESUMED: 3,
    }
    assert list((tmp_path / "tensorboard").iterdir())


def test_what_others_keep_there_is_left_alone(tmp_path):
    (tmp_path / "notes.jsonl").write_text('{"mine": 1}\n')
    (tmp_path / "exams-1.jsonl").write_text('{"step": 2}\n{"step": 3}\n')
    journal.forget_after(tmp_path, 2)
    assert (tmp_path / "notes.jsonl").read_text() == '{"mine": 1}\n'
    assert (tmp_path / "exams-1.jsonl").read_text() == '{"step": 2}\n'


def test_a_file_is_at_every_moment_the_old_or_the_new_one(tmp_path, monkeypatch):
    path = tmp_path / "file"
    journal.replace(path, b"old")
    inode = path.stat().st_ino
    journal.replace(path, b"old")
    assert path.stat().st_ino == inode  # the same is not written again

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(journal.os, "fsync", full)
    with pytest.raises(ValueError, match=rf"cannot write {path}: No space left"):
        journal.replace(path, b"new")
    assert path.read_bytes() == b"old"


def test_a_line_that_a_full_disk_cuts_is_an_error(tmp_path):
    lines = journal.Lines(tmp_path / "lines.jsonl")

    class Short:
        def write(self, content):
            return len(content) - 1

        def close(self):
            pass

    lines._file.close()
    lines._file = Short()
    with pytest.raises(ValueError, match=r"lines.jsonl: No space left.*checkpoint is good"):
        lines.write(1, {})


def test_in_a_log_progress_is_told_every_ten_seconds_and_at_the_end(capsys, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(journal.time, "monotonic", lambda: now[0])
    progress = journal.Progress(total=40, start=0)
    for step in range(1, 41):
        now[0] += 3
        progress.show(step, "loss 1")
    lines = capsys.readouterr().err.splitlines()
    assert [int(line.split()[1]) for line in lines] == [1, 5, 9, 13, 17, 21, 25, 29, 33, 37, 40]
    assert lines[1].endswith("1.8 min left")  # 5 steps took 15 s, 35 are left
    assert lines[-1].startswith("step 40 of 40  loss 1")


def test_on_a_terminal_progress_is_one_line_rewritten(capsys, monkeypatch):
    monkeypatch.setattr(journal.sys.stderr, "isatty", lambda: True, raising=False)
    progress = journal.Progress(total=2, start=0)
    progress.show(1, "a")
    progress.show(2, "b")
    said = capsys.readouterr().err
    assert said.count("\r") == 2
    assert said.count("\n") == 1
    assert said.endswith("\n")
