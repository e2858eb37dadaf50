"""Two real processes of a few CPU devices each, over the loopback, against this one of eight."""

import contextlib
import json
import os
import pathlib
import re
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable

import jax
import numpy as np
import pytest

from cmr_jax import checkpoint, trainer
from tests.conftest import CHILD, ROOT

# As small as it goes: what takes the time is starting and compiling.
CONFIG = """
from cmr_jax import config as c

def get_config():
    return c.Experiment(
        model=c.Model(
            video=c.VideoTower(width=8, depth=1, heads=2, mlp_ratio=2.0, coordinate_frequencies=2),
            text=c.TextTower(8, 1, 2, 2.0, vocabulary=512, length=16),
            embedding=8,
        ),
        data=c.Data({path!r}, 8, clip=c.Clip(sax_slices=1, phases=2, lge_slices=1, size=32)),
        # A large epsilon: Adam makes whole steps of gradients that are but the noise of zero.
        optim=c.Optim(lr=1e-2, warmup_steps=1, steps=4, eps=1e-2),
        run=c.Run(log_every=1, save_every=2, record_exams=True),
    )
"""
OF_CPP = re.compile(r"\[Gloo\]|[IWE]\d{4} ")  # lines that XLA writes past Python


@contextlib.contextmanager
def as_children_compile():
    """This process too."""
    jax.config.update("jax_disable_most_optimizations", True)
    try:
        yield
    finally:
        jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(scope="module")
def config_file(tiny, tmp_path_factory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("config") / "small.py"
    path.write_text(CONFIG.format(path=str(tiny)))
    return path


def one(
    config_file: pathlib.Path, workdir: pathlib.Path, devices: int = 8, stop_after: int = 0
) -> pathlib.Path:
    """A run of this process."""
    cfg = runpy.run_path(str(config_file))["get_config"]()
    cfg.run.stop_after = stop_after
    with as_children_compile():
        trainer.run(cfg, workdir, devices=jax.devices()[:devices])
    return workdir


def start(
    config_file: pathlib.Path, workdir: pathlib.Path, *args: str, devices: int = 1
) -> subprocess.Popen:
    command = ["cmr_jax.train", f"--config={config_file}", f"--workdir={workdir}", *args]
    return subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=os.environ | CHILD | {"JAX_NUM_CPU_DEVICES": str(devices)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def pair(
    config_file: pathlib.Path,
    workdir: pathlib.Path,
    *args: str,
    second: tuple[str, ...] = (),
    devices: int = 1,
    meanwhile: Callable[[list[subprocess.Popen]], None] = lambda started: None,
) -> list[tuple[int, list[str]]]:
    """Exit codes and words of two processes; `second` are arguments of process 1 alone, `meanwhile` is
    called once they have started."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        join = (f"--coordinator=127.0.0.1:{free.getsockname()[1]}", "--processes=2")
    started = [
        start(config_file, workdir, *join, f"--process={i}", *args, *own, devices=devices)
        for i, own in enumerate(((), second))
    ]
    meanwhile(started)
    ends = []
    for process in started:
        try:
            words = process.communicate(timeout=200)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            words = process.communicate()[0] + "\nHANGS"
        ends.append((process.returncode, [w for w in words.splitlines() if not OF_CPP.match(w)]))
    return ends


@pytest.fixture(scope="module")
def alone(config_file, tmp_path_factory) -> pathlib.Path:
    """The workdir of one process."""
    return one(config_file, tmp_path_factory.mktemp("alone") / "run")


@pytest.fixture(scope="module")
def together(config_file, tmp_path_factory):
    """The workdir of two processes, and what they said."""
    workdir = tmp_path_factory.mktemp("together") / "run"
    mesh = ("--config.mesh.fsdp=2", "--config.mesh.tensor=2")
    return workdir, pair(config_file, workdir, *mesh, devices=2)


def halfway(workdir: pathlib.Path, to: pathlib.Path) -> pathlib.Path:
    """A copy of a run as it was after its first checkpoint."""
    shutil.copytree(workdir, to)
    shutil.rmtree(to / checkpoint.FOLDER / "4")
    return to


def lines(workdir: pathlib.Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


def exams(workdir: pathlib.Path) -> dict[tuple[int, int], str]:
    """The exam of each step and row of the global batch, whichever processes had them."""
    found = {}
    for path in workdir.glob("exams-*.jsonl"):
        for line in map(json.loads, path.read_text().splitlines()):
            for row, exam in zip(line["rows"], line["exams"], strict=True):
                found[line["step"], row] = exam
    return found


def assert_same(a: pathlib.Path, b: pathlib.Path) -> None:
    """Losses of every step, each written once, exams of every row, and the parameters of the last
    checkpoint."""
    assert exams(a) == exams(b)
    assert len(exams(a)) == 4 * 8
    assert (
        [line["step"] for line in lines(a)] == [line["step"] for line in lines(b)] == [1, 2, 3, 4]
    )
    losses = [[line["train/loss"] for line in lines(w)] for w in (a, b)]
    np.testing.assert_allclose(*losses, atol=1e-5)
    assert len(set(losses[0])) == 4  # it moves
    params = []
    for workdir in (a, b):
        with contextlib.closing(checkpoint.Checkpoints(workdir)) as checkpoints:
            assert checkpoints.latest_step() == 4
            params.append(checkpoints.params())
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-5), *params)


def test_two_processes_learn_what_one_does_and_one_of_them_speaks(alone, together):
    workdir, ends = together
    assert [code for code, _ in ends] == [0, 0], ends
    assert_same(alone, workdir)
    assert "mesh {'data': 1, 'fsdp': 2, 'tensor': 2}" in ends[0][1][0]
    assert not re.search(r"step|exams|workdir|mesh", "\n".join(ends[1][1]))
    assert len(list((workdir / "tensorboard").iterdir())) == 1


def test_one_process_goes_on_from_what_two_wrote(config_file, alone, together, tmp_path):
    workdir = halfway(together[0], tmp_path / "run")
    assert_same(alone, one(config_file, workdir))


def test_four_devices_go_on_from_what_eight_wrote(config_file, alone, tmp_path):
    workdir = one(config_file, tmp_path / "run", stop_after=2)
    assert_same(alone, one(config_file, workdir, devices=4))


def test_two_processes_leave_together_when_one_is_asked(config_file, alone, tmp_path):
    def ask(started):
        while not (tmp_path / "run" / "exams-1.jsonl").exists():
            time.sleep(0.01)
        started[1].send_signal(signal.SIGTERM)

    slow = "--config.run.log_every=1", "--config.optim.steps=4000"
    ends = pair(config_file, tmp_path / "run", *slow, meanwhile=ask)
    assert [code for code, _ in ends] == [75, 75], ends
    assert re.search(r"asked to leave: saved step \d+ of 4000; the same", ends[0][1][-1])
    assert not re.search(r"saved|step \d+ of", "\n".join(ends[1][1]))
    saved = checkpoint.steps_in(tmp_path / "run")[-1]
    assert saved == lines(tmp_path / "run")[-1]["step"]


def test_two_processes_with_tensor_across_them_go_on_from_what_one_wrote(
    config_file, alone, tmp_path
):
    workdir = halfway(alone, tmp_path / "run")
    ends = pair(config_file, workdir, "--config.mesh.tensor=2")
    assert [code for code, _ in ends] == [0, 0], ends
    assert any("resuming step 2" in words for words in ends[0][1])
    assert_same(alone, workdir)


def test_a_process_that_fails_early_ends_all(config_file, tmp_path):
    (first, words), (second, own) = pair(
        config_file, tmp_path / "run", second=("--config.data.path=/nowhere",)
    )
    assert (first, second) == (1, 2)
    assert own[-1].startswith("cmr_jax.train: no tokenizer at /nowhere")
    name = socket.gethostname()
    assert words[-1].startswith(f"process 1 of 2 ({name}): failed (ValueError: no tokenizer at")
    assert not (tmp_path / "run").exists()


def test_a_process_that_does_not_come_is_named_in_one_line(config_file, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    join = (f"--coordinator={address}", "--processes=2", "--process=0", "--join_timeout_s=0.5")
    process = start(config_file, tmp_path / "run", *join)
    words = process.communicate(timeout=100)[0]
    assert process.returncode == 2
    assert words.splitlines() == [
        "cmr_jax.train: process 1 of 2 did not come within 0.5 s. Look at its own output, or wait "
        "longer with --join_timeout_s."
    ]
