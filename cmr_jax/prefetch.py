"""Prefetch items of an iterator in a thread, so that batches are ready when a step ends."""

import contextlib
import queue
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Generic, TypeVar

T = TypeVar("T")
PATIENCE_S = 10  # with a source that hangs; its thread ends with the process


class Prefetcher(Generic[T]):
    """Yield the items of `source` in order, taken by a thread up to `depth` ahead.

    An error of `source` is raised at the place of the item that it prevented.
    """

    def __init__(self, source: Iterator[T], depth: int = 2):
        self.waited = 0.0  # seconds, in all, that whoever asked had to wait
        self._source, self._over = source, threading.Event()
        self._made: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue(depth)
        self._thread = threading.Thread(target=self._work, name="prefetch", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while not self._over.is_set():
            try:
                made, error = next(self._source), None
            except BaseException as caught:  # StopIteration too: whoever asks is told
                made, error = None, caught
            self._made.put((made, error))
            if error is not None:
                return

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        began = time.monotonic()
        made, error = self._made.get()
        self.waited += time.monotonic() - began
        if error is not None:
            self._made.put((None, error))  # and so again, for whoever asks again
            raise error
        return made

    def __enter__(self) -> "Prefetcher[T]":
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        deadline = time.monotonic() + PATIENCE_S
        while self._thread.is_alive() and time.monotonic() < deadline:
            with contextlib.suppress(queue.Empty):  # it may be waiting for room
                self._made.get(timeout=0.05)
