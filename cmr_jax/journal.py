"""What a run writes down: one JSON object per line, the same for TensorBoard, a line for people."""

import contextlib
import errno
import json
import os
import pathlib
import socket
import sys
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from tensorboardX import summary
from tensorboardX.proto import event_pb2 as proto
from tensorboardX.record_writer import RecordWriter

# protobuf makes its classes when it is imported: type checkers do not see them.
Event, SessionLog = (getattr(proto, name) for name in ("Event", "SessionLog"))

FLUSH_S = 10
METRICS_FILE = "metrics.jsonl"
RESUMED = "run/resumed_at"  # told once by a run that goes on: the step from which


OWN = (METRICS_FILE, "exams-*.jsonl", "broken-*.jsonl", "nonfinite-*.jsonl")  # of steps


def forget_after(workdir: pathlib.Path, step: int) -> None:
    """Drops what files of a run tell of later steps, and half lines left by a kill: a run that goes on
    from `step` will tell it again.  For the first process, before the others open theirs."""
    for path in (found for name in OWN for found in workdir.glob(name)):
        lines = path.read_text().splitlines()
        kept = [line for line in lines if _step(line) <= step]
        if len(kept) < len(lines):
            replace(path, "".join(line + "\n" for line in kept).encode())


def replace(path: pathlib.Path, content: bytes) -> None:
    """Writes a file that is at every moment the old or the new one, whole."""
    if path.is_file() and path.read_bytes() == content:
        return
    partial = path.with_name(path.name + ".unfinished")
    with writing(path):
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)


@contextlib.contextmanager
def writing(path: pathlib.Path) -> Iterator[None]:
    """What a disk refuses is a ValueError that names the file."""
    try:
        yield
    except OSError as error:
        raise ValueError(
            f"cannot write {path}: {error.strerror or error}. Mend that and start again: the last "
            "checkpoint is good."
        ) from error


class Lines:
    """A file of one JSON object per line, each of a step."""

    def __init__(self, path: pathlib.Path):
        self._path = path
        with writing(path):
            self._file = path.open("ab", buffering=0)  # a line is one write: whole, or not there

    def write(self, step: int, values: dict[str, Any]) -> None:
        """One line."""
        line = json.dumps({"step": step, **values}).encode() + b"\n"
        with writing(self._path):
            if self._file.write(line) < len(line):  # as a disk does that is just full
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


class Board:
    """Events for TensorBoard, which hides what it was told before of steps after `step`.

    Written at once: with tensorboardX's own queue, a full disk would end the thread that empties it
    and the run would wait for ever.
    """

    def __init__(self, folder: pathlib.Path, step: int):
        name = f"events.out.tfevents.{time.time():.0f}.{socket.gethostname()}.{os.getpid()}"
        self._path, self._flushed = folder / name, 0.0
        with writing(self._path):
            folder.mkdir(exist_ok=True)
            self._records = RecordWriter(str(self._path))
        self._tell(file_version="brain.Event:2")
        self._tell(step=step + 1, session_log=SessionLog(status=SessionLog.START))

    def write(self, step: int, values: dict[str, float]) -> None:
        """One scalar each."""
        for name, value in values.items():
            self._tell(step=step, summary=summary.scalar(name, value))
        if time.monotonic() - self._flushed > FLUSH_S:  # it waits for the disk
            with writing(self._path):
                self._records.flush()
            self._flushed = time.monotonic()

    def close(self) -> None:
        """Closes the file; what there is no room for is lost."""
        with contextlib.suppress(OSError):
            self._records.close()

    def _tell(self, **event: Any) -> None:
        with writing(self._path):
            self._records.write(Event(wall_time=time.time(), **event).SerializeToString())


class Journal:
    """WORKDIR/metrics.jsonl and WORKDIR/tensorboard."""

    def __init__(self, workdir: pathlib.Path, step: int):
        self._lines = Lines(workdir / METRICS_FILE)
        self._board = Board(workdir / "tensorboard", step)
        self._news = {RESUMED: step} if step else {}

    def write(self, step: int, values: dict[str, float]) -> None:
        """Named numbers of a step."""
        self._lines.write(step, values | self._news)
        self._board.write(step, values)
        self._news = {}

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.close()
        self._board.close()


def _step(line: str) -> int:
    try:
        return json.loads(line)["step"]
    except (json.JSONDecodeError, KeyError, TypeError):  # half a line, left by a kill
        return sys.maxsize


class Progress:
    """A line that people can read: rewritten in place on a terminal, every so often in a log."""

    def __init__(self, total: int, start: int):
        self._total, self._start, self._began = total, start, time.monotonic()
        self._last = 0.0

    def begin(self, step: int) -> None:
        """Time is counted from here: the first step compiles."""
        self._start, self._began = step, time.monotonic()

    def show(self, step: int, text: str, due: bool = False) -> None:
        """Says where the run is and when it will be done; `due`: in any case."""
        now = time.monotonic()
        left = "?"
        if done := step - self._start:
            left = _duration((now - self._began) / done * (self._total - step))
        line = f"step {step} of {self._total}  {text}  {left} left"
        if sys.stderr.isatty():
            end = "" if step < self._total else "\n"
            print(f"\r{line:<110}", end=end, file=sys.stderr, flush=True)
        elif due or now - self._last > 10 or step == self._total:
            print(line, file=sys.stderr, flush=True)
            self._last = now


def _duration(seconds: float) -> str:
    hours, minutes = divmod(seconds / 60, 60)
    return f"{hours:.0f} h {minutes:.0f} min" if hours else f"{minutes:.1f} min"
