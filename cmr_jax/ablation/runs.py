"""Trains and scores the runs of a study, each in processes of its own, several side by side.

What is done is not done again: a run whose scores are kept is passed over, and one that was broken
off goes on where it was.  A run has one processor to itself, so that its CPU time says what it
costs whatever runs beside it.
"""

import dataclasses
import json
import logging
import os
import pathlib
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

from cmr_jax.ablation import store
from cmr_jax.config.study import DATA, Arm, Study

log = logging.getLogger(__name__)

COST_FILE = "cost.json"
LOG_FILE = "log.txt"
WAIT_S = 0.5


@dataclasses.dataclass(frozen=True)
class Run:
    """An arm with a seed."""

    arm: Arm
    seed: int

    @property
    def name(self) -> str:
        """As folders and messages have it."""
        return f"{self.arm.name}-{self.seed}"


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a study is run, and on what."""

    study: str  # the file
    data: str
    external: dict[str, str]
    out: pathlib.Path
    results: pathlib.Path

    def workdir(self, run: Run) -> pathlib.Path:
        """Of the training run."""
        return self.out / run.name

    def is_done(self, run: Run) -> bool:
        """Whether its scores are kept."""
        return store.file_of(self.results, run.arm.name, run.seed).is_file()


def wanted(study: Study, only: str) -> list[Run]:
    """The runs of the arms whose names match, first seeds first: a study that is broken off knows
    something of every arm."""
    try:
        arms = [arm for arm in study.arms if re.fullmatch(only, arm.name)]
    except re.error as error:
        raise ValueError(f"--only {only} is not a regular expression: {error}.") from None
    seeds = max((arm.seeds for arm in arms), default=0)
    return [Run(arm, seed) for seed in range(seeds) for arm in arms if seed < arm.seeds]


def train_command(run: Run, place: Place, study: Study) -> list[str]:
    """As a user would type it."""
    changes = [f"--config.{c.replace(DATA, place.data)}" for c in run.arm.changes]
    command = [
        "cmr_jax.train",
        f"--config={run.arm.config}",
        f"--config.data.path={place.data}",
        f"--config.run.seed={run.seed}",
        *changes,
        f"--workdir={place.workdir(run)}",
    ]
    if run.arm.start:
        first = place.workdir(Run(study.arm(run.arm.start), run.seed))
        command += [f"--weights={first}", "--partial"]
    return command


def score_command(run: Run, place: Place) -> list[str]:
    """The same, of what is done once it is trained."""
    others = [f"--external={name}={path}" for name, path in place.external.items()]
    return [
        "cmr_jax.ablate",
        "score",
        f"--study={place.study}",
        f"--data={place.data}",
        *others,
        f"--out={place.out}",
        f"--results={place.results}",
        f"--only={run.arm.name}",
        f"--seed={run.seed}",
    ]


def run_all(study: Study, runs: list[Run], place: Place, jobs: int) -> list[str]:
    """Runs what is not done, `jobs` at a time; the names of those that failed."""
    left = missing(study, runs, place)
    done_before = sum(run not in left for run in runs)
    log.info("%d runs, %d of them done before", len(runs), done_before)
    place.out.mkdir(parents=True, exist_ok=True)
    cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    slots: list[tuple[Run, Iterator[int | None]] | None] = [None] * jobs
    failed: list[str] = []
    began, done = time.monotonic(), 0
    while left or any(slots):
        for at, slot in enumerate(slots):
            if slot is None:
                if left and (run := _next(left, slots)):
                    slots[at] = run, _steps(run, place, study, cpus[at::jobs] if cpus else [])
                continue
            run, steps = slot
            if (code := next(steps)) is None:
                continue
            slots[at] = None
            done += 1
            minutes = (time.monotonic() - began) / 60
            log.info("%s: %s; %d done in %.0f min", run.name, _told(code), done, minutes)
            if code:
                failed.append(run.name)
        time.sleep(WAIT_S)
    return failed


def missing(study: Study, runs: list[Run], place: Place) -> list[Run]:
    """What is not done of these runs; and of those that they start from, whatever is known of their
    scores, where their weights are not here."""
    left: list[Run] = []
    for run in runs:
        if place.is_done(run):
            continue
        if run.arm.start:
            first = Run(study.arm(run.arm.start), run.seed)
            if first not in left and not _is_trained(place.workdir(first) / COST_FILE):
                left.append(first)
        if run not in left:
            left.append(run)
    return left


def _next(left: list[Run], slots: list) -> Run | None:
    """The next that need not wait for another's weights; it is taken off the list."""
    busy = {slot[0].name for slot in slots if slot}
    waiting = {run.name for run in left} | busy
    for run in left:
        if not (run.arm.start and f"{run.arm.start}-{run.seed}" in waiting):
            left.remove(run)
            return run
    return None


def _steps(run: Run, place: Place, study: Study, cpus: list[int]) -> Iterator[int | None]:
    """Trains, then scores: None while it does, and the exit code once it is over."""
    workdir = place.workdir(run)
    workdir.mkdir(parents=True, exist_ok=True)
    for command in (train_command(run, place, study), score_command(run, place)):
        trains = command[0] == "cmr_jax.train"
        if trains:
            _begin(workdir / COST_FILE)
        with (workdir / LOG_FILE).open("a") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", *command], stdout=said, stderr=said, env=_env(place, cpus)
            )
        if cpus:
            os.sched_setaffinity(process.pid, cpus)
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
        while not pid:
            yield None
            pid, status, used = os.wait4(process.pid, os.WNOHANG)
        process.returncode = code = os.waitstatus_to_exitcode(status)
        if trains:
            _end(workdir / COST_FILE, used.ru_utime + used.ru_stime, trained=not code)
        if code:
            yield code
    yield 0


def _env(place: Place, cpus: list[int]) -> dict[str, str]:
    env = os.environ | {
        "JAX_COMPILATION_CACHE_DIR": str((place.out / "compiled").absolute()),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.3",
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",  # see launch/demo.py
    }
    if len(cpus) == 1:
        one = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        env["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {one}".strip()
    return env


def _begin(path: pathlib.Path) -> None:
    """A part of a run whose end nobody sees costs nobody knows what."""
    parts = json.loads(path.read_text())["parts"] if path.is_file() else []
    path.write_text(json.dumps({"parts": [*parts, None], "trained": False}))


def _end(path: pathlib.Path, cpu_s: float, trained: bool) -> None:
    *before, _ = json.loads(path.read_text())["parts"]
    path.write_text(json.dumps({"parts": [*before, cpu_s], "trained": trained}))


def _is_trained(path: pathlib.Path) -> bool:
    """Whether a run came to its end: weights of one that was broken off are no start."""
    return path.is_file() and json.loads(path.read_text()).get("trained", False)


def cost_of(path: pathlib.Path) -> dict[str, Any]:
    """CPU seconds of all parts of a run; nothing where that is not known."""
    parts: list[float | None] = [None]
    if path.is_file():
        parts = json.loads(path.read_text())["parts"]
    known = [seconds for seconds in parts if seconds is not None]
    return {"cpu_s": sum(known)} if len(known) == len(parts) else {}


def _told(code: int) -> str:
    return f"failed with exit code {code}" if code else "done"
