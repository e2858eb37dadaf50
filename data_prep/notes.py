"""Counts that workers leave in the exchange while they work: how far they are, and what they found."""

import hashlib
import json
import time
import uuid

from data_prep.exchange import Exchange
from data_prep.workshop import NOTES

# A note is left after so many seconds, and later ones more rarely: there may be many workers.
EVERY_S, EVERY_SHARE = 1.0, 0.05


class Notes:
    """What one worker did of a stage: a count for each unit of work."""

    def __init__(self, exchange: Exchange, stage: str):
        self._exchange, self._stage = exchange, stage
        self._counts: dict[str, int] = {}
        self._began = self._left = time.monotonic()

    def add(self, unit: bytes, count: int) -> None:
        """One more unit is done.  Its name does not leave: only a hash of it."""
        self._counts[hashlib.sha256(unit).hexdigest()[:20]] = count
        now = time.monotonic()
        if now - self._left > max(EVERY_S, EVERY_SHARE * (now - self._began)):
            self.leave()

    def leave(self) -> None:
        """Puts what was counted since the last time into the exchange."""
        if self._counts:
            name = f"{NOTES}/{self._stage}/{uuid.uuid4().hex}-{len(self._counts)}"
            self._exchange.put(name, json.dumps(self._counts).encode())
        self._counts, self._left = {}, time.monotonic()


def units_done(exchange: Exchange, stage: str) -> int:
    """How many units are done over all workers; a unit that was tried twice counts twice."""
    return sum(int(name.rpartition("-")[2]) for name in exchange.names(f"{NOTES}/{stage}"))


def total(exchange: Exchange, stage: str) -> int:
    """The sum of all counts, each unit once however often it was tried."""
    counts: dict[str, int] = {}
    for name in exchange.names(f"{NOTES}/{stage}"):
        counts |= json.loads(exchange.get(name))
    return sum(counts.values())
