"""What a run writes down: every step once, also after a kill; a line now and then for people."""

import json

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
    assert json.loads(file.read_text().splitlines()[-1]) == {"step": 4, "train/loss": 0.5}
    assert list((tmp_path / "tensorboard").iterdir())


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
