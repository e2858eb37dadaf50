"""What a run writes down: one JSON object per line, and the same for TensorBoard."""

import json
import pathlib
import sys
import time
from types import TracebackType

from tensorboardX import SummaryWriter


class Journal:
    """Appends to WORKDIR/metrics.jsonl and WORKDIR/tensorboard; lines after `step` are dropped on
    opening, so that a resumed run does not tell a step twice."""

    def __init__(self, workdir: pathlib.Path, step: int):
        self._path = workdir / "metrics.jsonl"
        if self._path.exists():
            kept = [line for line in self._path.read_text().splitlines() if _step(line) <= step]
            self._path.write_text("".join(line + "\n" for line in kept))
        self._file = self._path.open("a")
        self._board = SummaryWriter(str(workdir / "tensorboard"), purge_step=step + 1)

    def write(self, step: int, values: dict[str, float]) -> None:
        """One line of named numbers."""
        self._file.write(json.dumps({"step": step, **values}) + "\n")
        self._file.flush()
        for name, value in values.items():
            self._board.add_scalar(name, value, step)

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._board.close()


def _step(line: str) -> int:
    try:
        return json.loads(line)["step"]
    except (json.JSONDecodeError, KeyError):  # half a line, left by a kill
        return sys.maxsize


class Progress:
    """A line that people can read: rewritten in place on a terminal, every so often in a log."""

    def __init__(self, total: int, start: int):
        self._total, self._start, self._began = total, start, time.monotonic()
        self._last = 0.0

    def show(self, step: int, text: str) -> None:
        """Says where the run is and when it will be done."""
        now = time.monotonic()
        done = step - self._start
        left = (now - self._began) / max(done, 1) * (self._total - step)
        line = f"step {step} of {self._total}  {text}  {left / 60:.1f} min left"
        if sys.stderr.isatty():
            print(
                f"\r{line:<100}",
                end="" if step < self._total else "\n",
                file=sys.stderr,
                flush=True,
            )
        elif now - self._last > 10 or step == self._total:
            print(line, file=sys.stderr, flush=True)
            self._last = now
