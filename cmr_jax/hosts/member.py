"""Who is here, who is late, who is gone: a line from every process to process 0, kept all along.

JAX's own coordination ends the process from C++ when somebody does not come or dies, without a
host's name and minutes later.  This stands beside it and knows nothing of JAX: JSON lines over
TCP, through process 0, among machines that already trust each other as JAX's processes must.
"""

import collections
import os
import socket
import sys
import threading
import time

from cmr_jax.hosts.launchers import Place
from cmr_jax.hosts.leader import LEAVE, Leader
from cmr_jax.hosts.wire import GONE, Link, label, labels


def reach(host: str, port: int, timeout_s: float) -> socket.socket:
    """A connection, tried until it comes about; OSError if it does not in time."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            sock = socket.create_connection((host, port), timeout=5)
            sock.settimeout(None)  # from here on process 0 decides how long to wait
            return sock
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


class Member:
    """Every process's side, process 0's too."""

    def __init__(self, place: Place, timeout_s: float):
        self.place, self.names = place, place.names
        leader = Leader(place, timeout_s) if place.process == 0 else None
        self._link = Link(self._connect(timeout_s))
        self._messages = iter(self._link)
        self._changed = threading.Condition()
        self._opened: set[str] = set()
        self._absent: dict[str, list[int]] = {}
        self._met: collections.Counter[str] = collections.Counter()
        self._failing, self._over = threading.Event(), False
        # Of leaving: how often `leaves` was called, how often when others were told, the call to
        # leave at, and whether this process has passed on that it was asked.
        self._calls, self._stood, self._leave_at, self._asks = 0, -1, -1, False
        self._link.send(process=place.process, processes=place.processes, host=socket.gethostname())
        answer = next(self._messages, {"failed": GONE, "process": 0})
        if "start" not in answer:
            self._link.close()
            if leader:
                leader.close()
            if reason := answer.get("failed"):
                answer["refused"] = f"{label(answer['process'], self.names)}: {reason}."
            raise TimeoutError(answer["refused"])
        self.coordinator, self.names = answer["start"], tuple(answer["names"])
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _connect(self, timeout_s: float) -> socket.socket:
        host, _, port = self.place.coordinator.rpartition(":")
        try:
            return reach(host, int(port), timeout_s)
        except OSError as error:
            raise TimeoutError(
                f"{label(0, self.names)} did not come within {timeout_s:g} s: nothing answers at "
                f"{self.place.coordinator} ({error})."
            ) from error

    def barrier(self, name: str, timeout_s: float) -> None:
        """Waits until all are here; a TimeoutError names who is not."""
        self._met[name] += 1
        key = name if name == LEAVE else f"{name} {self._met[name]}"
        self._link.send(barrier=key)
        with self._changed:
            if self._changed.wait_for(lambda: key in self._opened, timeout_s):
                return
        self._link.send(who=key)
        with self._changed:
            self._changed.wait_for(lambda: key in self._absent, 10)
            absent = self._absent.get(key, [0])  # who does not answer, is not here
        raise TimeoutError(
            f"{labels(absent, self.names)} did not come to {name!r} within {timeout_s:g} s."
        )

    def leaves(self, asked: bool) -> bool:
        """Whether all leave at this call or left at one before; `asked`: this process is to.

        Once anybody asks, all tell how many calls they have made (from a thread of their own: the
        main one may be waiting for the others), and leave at the call after the furthest.  Who has
        told waits at its next call until that is known.
        """
        if asked and not self._asks:
            self._asks = True
            self._link.send(asks=True)
        with self._changed:
            self._calls += 1
            if self._stood >= 0:
                self._changed.wait_for(lambda: self._leave_at >= 0)
            return 0 <= self._leave_at <= self._calls

    def fail(self, reason: str) -> None:
        """Tells all others that this process ends, and waits until they have been told."""
        self._failing.set()
        self._link.send(failed=reason)
        with self._changed:
            self._changed.wait_for(lambda: self._over, 5)

    def leave(self, timeout_s: float) -> None:
        """Waits for the others; from here on nobody is missed."""
        self.barrier(LEAVE, timeout_s)

    def close(self) -> None:
        """Hangs up."""
        self._link.close()
        self._listener.join()

    def _listen(self) -> None:
        for message in self._messages:
            with self._changed:
                if "opened" in message:
                    self._opened.add(message["opened"])
                    self._over |= message["opened"] == LEAVE
                elif "absent" in message:
                    self._absent[message["at"]] = message["absent"]
                elif "calls" in message:
                    self._stood = self._calls
                    self._link.send(calls=self._calls)
                elif "leave_at" in message:
                    self._leave_at = message["leave_at"]
                elif "failed" in message:
                    self._over = True
                    self._stop(message["process"], message["failed"])
                self._changed.notify_all()
        self._link.close()
        if not self._over:
            self._stop(0, GONE)

    def _stop(self, process: int, reason: str) -> None:
        """The last word.  The main thread may be in a collective, which nothing can interrupt."""
        if self._failing.is_set():
            return
        own = f"process {self.place.process}: " if self.place.process else ""
        print(f"{own}{label(process, self.names)}: {reason}; so this one stops.", file=sys.stderr)
        sys.stderr.flush()
        sys.stdout.flush()
        os._exit(1)
