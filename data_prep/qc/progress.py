"""Says how far a stage is while the workers are busy, and how long it took."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from data_prep.qc.account import Account

EVERY_SECONDS = 5.0


@contextmanager
def stage(name: str, account: Account, done: Callable[[], int], total: int) -> Iterator[None]:
    """Times a stage and says every few seconds how far it is."""
    started, finished = time.monotonic(), threading.Event()

    def report() -> None:
        while not finished.wait(EVERY_SECONDS):
            count, seconds = done(), time.monotonic() - started
            left = f", about {seconds / count * (total - count):.0f} s left" if count else ""
            print(f"{name}: {count} of {total}{left}", file=sys.stderr, flush=True)

    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()
        account.seconds[name] = time.monotonic() - started
