"""What a run keeps an eye on: numbers that are none, records that cannot be read, exams it has seen.

Each process writes of its own share, to files of its own in the workdir.
"""

import logging
import pathlib
from types import TracebackType
from typing import Any

import jax
import numpy as np

from cmr_jax import config, guard
from cmr_jax.data.pipeline import Loaded
from cmr_jax.journal import Lines
from cmr_jax.step import FINITE, Parts

log = logging.getLogger(__name__)

EXAMS, BROKEN, NONFINITE = "exams", "broken", "nonfinite"


class Monitor:
    """Follows a run step by step, one step behind: the devices need not wait for it."""

    def __init__(
        self,
        cfg: config.Experiment,
        workdir: pathlib.Path,
        groups: guard.Groups,
        passed_over: tuple[int, int] = (0, 0),
    ):
        self._cfg, self._workdir, self._groups = cfg, workdir, groups
        self.passed_over = passed_over  # steps so far, and in a row
        self._pending: tuple[int, Parts, Loaded] | None = None
        self._files: dict[str, Lines] = {}

    def follow(self, step: int, parts: Parts, loaded: Loaded) -> None:
        """Takes a step's results; looks at those of the step before."""
        self.settle()
        self._pending = step, parts, loaded
        if self._cfg.run.record_exams:
            self._write(EXAMS, step, {"rows": loaded.rows, "exams": loaded.exams})
        for record in loaded.broken:
            log.warning("cannot read record %s: %s; the next one takes its place", *record)
            self._write(BROKEN, step, record._asdict())

    def settle(self) -> None:
        """Looks at the newest step too.  A FloatingPointError where a run must not go on."""
        if self._pending is None:
            return
        (step, parts, loaded), self._pending = self._pending, None
        finite = np.asarray(jax.device_get(parts[FINITE]))
        skipped, in_a_row = self.passed_over
        if finite.all():
            self.passed_over = skipped, 0
            return
        self.passed_over = skipped + 1, in_a_row + 1
        names = self._groups.broken(finite[:-1]) + ([] if finite[-1] else ["the loss"])
        self._write(NONFINITE, step, {"not_finite": names, "exams": loaded.exams})
        what = f"step {step}: not finite: {_listed(names)} (exams of it: {self._file(NONFINITE)})"
        if in_a_row + 1 > self._cfg.run.skip_nonfinite:
            raise FloatingPointError(
                f"{what}. The last checkpoint is good. Look at the exams, lower "
                "--config.optim.lr, or pass over such steps with --config.run.skip_nonfinite=10."
            )
        log.warning("%s: passed over, %d so far", what, skipped + 1)

    def __enter__(self) -> "Monitor":
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for lines in self._files.values():
            lines.close()

    def _file(self, name: str) -> pathlib.Path:
        return self._workdir / f"{name}-{jax.process_index()}.jsonl"

    def _write(self, name: str, step: int, values: dict[str, Any]) -> None:
        if name not in self._files:
            self._files[name] = Lines(self._file(name))
        self._files[name].write(step, values)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join(names[:4]) + more
