"""The private folder in which a build works: beside the output, one build at a time.

It is the exchange too, unless the workers share no file system with this program.  What a stopped
build finished, the next one uses.
"""

import contextlib
import fcntl
import os
import pathlib
import shutil
import uuid
from collections.abc import Iterator

from data_prep.exchange import CloudExchange, Exchange, LocalExchange

PLANS, SUMMARIES, NOTES = "plans", "summaries", "notes"  # made anew by every run
ORDERS, RESULTS, SHARDS = "orders", "results", "shards"  # used by the next
ELSEWHERE = "elsewhere"  # names the folder of a cloud that is the exchange


def folder_of(out: pathlib.Path) -> pathlib.Path:
    """Where a build of OUT works."""
    return out.absolute().with_name(out.name + ".unfinished")  # workers may start elsewhere


@contextlib.contextmanager
def enter(out: pathlib.Path, cloud: str = "") -> Iterator[Exchange]:
    """The exchange of a build of OUT, in `cloud` where one is named.

    Everything goes when the build is done or has bad input (ValueError); otherwise it stays for the
    next run.  ValueError where another build is at work.
    """
    folder = folder_of(out)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chmod(folder, 0o700)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ValueError(
                f"another build is at work in {folder}. Wait for it, or stop it."
            ) from None
        exchange = _exchange(folder, cloud)
        for made_anew in (PLANS, SUMMARIES, NOTES):
            exchange.remove(exchange.names(made_anew))
        try:
            yield exchange
        except ValueError:
            _leave(exchange, folder)
            raise
        _leave(exchange, folder)


def sweep(out: pathlib.Path) -> None:
    """Removes what a stopped run left."""
    if folder_of(out).exists():
        with enter(out):
            pass


def _exchange(folder: pathlib.Path, cloud: str) -> Exchange:
    """Where the last run exchanged, if it was stopped; a folder of its own in a cloud."""
    named = folder / ELSEWHERE
    if cloud and not named.exists():
        named.write_text(f"{cloud.rstrip('/')}/{uuid.uuid4().hex}")
    return CloudExchange(named.read_text()) if named.exists() else LocalExchange(folder)


def _leave(exchange: Exchange, folder: pathlib.Path) -> None:
    exchange.clear()
    shutil.rmtree(folder, ignore_errors=True)
