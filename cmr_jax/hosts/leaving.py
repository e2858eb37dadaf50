"""Asked to leave: SIGTERM from a scheduler that wants the machine back, Ctrl-C from a person.

A run is not torn away in the middle of a step: it asks at each one whether to leave, saves, and goes
with an exit code of its own, by which a launcher knows to start it again.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

import jax
from jax.experimental import multihost_utils

EXIT_CODE = 75  # EX_TEMPFAIL of sysexits.h: not done, try again


class Leaving(Exception):
    """The run has saved what it had and goes, because it was asked to."""


@contextlib.contextmanager
def watched() -> Iterator[Callable[[int], bool]]:
    """Gives `asked(step)`: whether all processes leave after this step.

    Call it at every step, in every process.  With several, JAX spreads the word and finds the step
    that all can reach.  A second Ctrl-C or SIGTERM of a single process ends it at once.
    """
    if jax.process_count() > 1:
        # JAX listens for SIGTERM itself; Ctrl-C is made the same.
        with _handler(signal.SIGINT, lambda *_: os.kill(os.getpid(), signal.SIGTERM)):
            yield multihost_utils.reached_preemption_sync_point
        return
    told = threading.Event()

    def tell(number: int, _: FrameType | None) -> None:
        told.set()
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(
                each, signal.default_int_handler if each == signal.SIGINT else signal.SIG_DFL
            )

    with _handler(signal.SIGTERM, tell), _handler(signal.SIGINT, tell):
        yield lambda step: told.is_set()


@contextlib.contextmanager
def _handler(number: int, handler: Callable) -> Iterator[None]:
    """A signal's handler for a while; only a main thread may set one."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)
