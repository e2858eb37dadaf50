"""Asked to leave: SIGTERM from a scheduler that wants the machine back, Ctrl-C from a person.

A run is not torn away in the middle of a step: it asks at each one whether to leave, saves, and goes
with an exit code of its own, by which a launcher knows to start it again.
"""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

EXIT_CODE = 75  # EX_TEMPFAIL of sysexits.h: not done, try again
SIGNALS = {signal.SIGTERM: signal.SIG_DFL, signal.SIGINT: signal.default_int_handler}

_told = threading.Event()


class Leaving(Exception):
    """The run has saved what it had and goes, because it was asked to."""


@contextlib.contextmanager
def watched() -> Iterator[None]:
    """Takes note of SIGTERM and Ctrl-C, for `told`.  A second one ends the process at once.

    Only a main thread may do so; elsewhere it does nothing.
    """
    _told.clear()
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def tell(number: int, frame: FrameType | None) -> None:
        _told.set()
        for each, usual in SIGNALS.items():
            signal.signal(each, usual)

    before = {each: signal.signal(each, tell) for each in SIGNALS}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        _told.clear()


def told() -> bool:
    """Whether this process has been asked to leave."""
    return _told.is_set()
