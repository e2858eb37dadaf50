"""Kills a training run again and again, anywhere, and holds it against one that nobody touched.

    python -m tests.faults --data DIR --kills 50 --seeds 5

Each kill is a SIGKILL of a real process, at a moment of its own: while it starts, some time later, in
a save, or in a look at the val split.  The same run is started again until it is done.  What must
hold: the parameters, the optimiser's state and the running mean of the last checkpoint have the same
bits, every step is told once with the same numbers, and the same exams were seen in the same order.
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import pathlib
import random
import shutil
import sys
import tempfile
import time
from collections import Counter

from cmr_jax import checkpoint
from cmr_jax import config as c
from cmr_jax.journal import METRICS_FILE

STEPS, SAVE_EVERY, EVAL_EVERY = 24, 4, 5
MOMENTS = ("any", "save", "look", "start")
POLL_S, PATIENCE_S = 0.002, 300
# Of what a journal tells, what depends on the clock, the machine, or on having been stopped.
UNREPEATABLE = ("time/", "memory/", "run/")


def experiment(data: str, seed: int) -> c.Experiment:
    """As small as it goes, with all that a state can have."""
    return c.Experiment(
        model=c.Model(
            video=c.VideoTower(
                width=8, depth=1, heads=2, mlp_ratio=2.0, coordinate_frequencies=2, dropout=0.1
            ),
            text=c.TextTower(8, 1, 2, 2.0, vocabulary=512, length=16),
            embedding=8,
        ),
        data=c.Data(data, 8, clip=c.Clip(sax_slices=1, phases=2, lge_slices=1, size=32)),
        optim=c.Optim(lr=1e-2, warmup_steps=2, steps=STEPS, ema=0.9),
        run=c.Run(
            seed=seed,
            log_every=1,
            save_every=SAVE_EVERY,
            eval_every=EVAL_EVERY,
            record_exams=True,
        ),
    )


def train(cfg: c.Experiment, workdir: pathlib.Path, words: pathlib.Path, cache: str) -> None:
    """A run to its end, in a process of its own; what it says goes to a file."""
    with words.open("w") as file:
        for out in (1, 2):
            os.dup2(file.fileno(), out)
    import jax

    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", 1)
    jax.config.update("jax_disable_most_optimizations", True)
    jax.config.update("jax_compilation_cache_dir", cache)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    from absl import flags

    from cmr_jax import trainer

    flags.FLAGS.mark_as_parsed()
    trainer.run(cfg, workdir)


class Victim:
    """One run, started and killed as often as one likes."""

    context = multiprocessing.get_context("forkserver")

    def __init__(self, cfg: c.Experiment, workdir: pathlib.Path, cache: str):
        self.cfg, self.workdir, self.cache = cfg, workdir, cache
        self.words = workdir.with_suffix(".log")
        self.context.set_forkserver_preload(["cmr_jax.trainer", "tests.faults"])

    def finish(self) -> None:
        """Runs to the end."""
        with self._started() as process:
            process.join(PATIENCE_S)
            assert process.exitcode == 0, self.words.read_text()

    def kill(self, moment: str, rng: random.Random) -> str:
        """Runs until the moment, and kills; where it was hit: in a save, in a look, or between."""
        before = self._told_last()
        with self._started() as process:
            if moment == "start":
                time.sleep(rng.uniform(0, 3))
            else:
                self._await(process, lambda: self._told_last() != before)
            if moment == "any":
                time.sleep(rng.uniform(0, 0.4))
            elif moment != "start":
                self._await(process, {"save": self._saves, "look": self._looks}[moment])
            process.kill()
            process.join(PATIENCE_S)
        if process.exitcode != -9:
            return "too late"
        happening = {"in a save": self._saves(), "in a look": self._looks()}
        return " and ".join(name for name, so in happening.items() if so) or "between"

    @contextlib.contextmanager
    def _started(self):
        process = self.context.Process(
            target=train, args=(self.cfg, self.workdir, self.words, self.cache)
        )
        process.start()
        try:
            yield process
        finally:
            process.kill()
            process.join()

    def _await(self, process, happens) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while process.is_alive() and not happens():
            assert time.monotonic() < deadline, self.words.read_text()
            time.sleep(POLL_S)
        if process.exitcode not in (None, 0):
            raise AssertionError(self.words.read_text())

    def _told_last(self) -> int:
        """Changes as soon as a run that goes on has cleared up, or made a step."""
        path = self.workdir / "exams-0.jsonl"
        return path.stat().st_mtime_ns if path.exists() else 0

    def _saves(self) -> bool:
        return any("tmp" in p.name for p in (self.workdir / checkpoint.FOLDER).glob("*"))

    def _looks(self) -> bool:
        """A step that ends with a look has been made, and is not told yet."""
        made = self._steps("exams-0")
        return made % EVAL_EVERY == 0 and made > self._steps("metrics")

    def _steps(self, name: str) -> int:
        path = self.workdir / f"{name}.jsonl"
        try:
            return int(path.read_bytes().rstrip(b"\n").rpartition(b"\n")[2].split(b",")[0][9:])
        except (OSError, ValueError):
            return 0


def last_bits(workdir: pathlib.Path) -> dict[str, int]:
    """Checksums of every array of the last checkpoint, which are checked as they are read."""
    with contextlib.closing(checkpoint.Checkpoints(workdir, writes=False)) as found:
        assert found.latest_step() == STEPS
        found.params()
        return found.checksums()


def told(workdir: pathlib.Path) -> list[dict]:
    """What every step told, but for the clock."""
    lines = map(json.loads, (workdir / METRICS_FILE).read_text().splitlines())
    return [{k: v for k, v in line.items() if not k.startswith(UNREPEATABLE)} for line in lines]


def exams(workdir: pathlib.Path) -> list[list[str]]:
    """The exams of every step, in order."""
    lines = [json.loads(x) for x in (workdir / "exams-0.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    return [line["exams"] for line in lines]


def trial(data: str, folder: pathlib.Path, seed: int, kills: int, cache: str) -> Counter:
    """One seed: a run left alone and a run killed so often; where it was hit.  AssertionError if
    they differ."""
    rng = random.Random(seed)
    cfg = experiment(data, seed)
    whole, victim = (Victim(cfg, folder / f"{name}{seed}", cache) for name in ("whole", "killed"))
    whole.finish()
    hits: Counter = Counter()
    for i in range(kills):
        hit = victim.kill(MOMENTS[(i + seed) % len(MOMENTS)], rng)
        hits[hit] += 1
        if hit == "too late":  # it is done: start over, so that every kill counts
            compare(whole.workdir, victim.workdir)
            shutil.rmtree(victim.workdir)
    victim.finish()
    compare(whole.workdir, victim.workdir)
    return hits


def compare(a: pathlib.Path, b: pathlib.Path) -> None:
    """Holds two workdirs against each other."""
    assert last_bits(a) == last_bits(b)
    assert told(a) == told(b)
    assert exams(a) == exams(b)


def main() -> None:
    """Many kills, with a word on each seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="prepared data of 32 x 32 pixels")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    total: Counter = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(args.seeds):
            share = args.kills // args.seeds + (seed < args.kills % args.seeds)
            hits = trial(args.data, pathlib.Path(folder), seed, share, f"{folder}/compiled")
            total += hits
            print(f"seed {seed}: same bits after {share} kills ({dict(hits)})", flush=True)
    print(f"{sum(total.values())} kills, {dict(total)}: all runs ended alike")


if __name__ == "__main__":
    from tests import faults  # under its own name, which the children know

    sys.exit(faults.main())
