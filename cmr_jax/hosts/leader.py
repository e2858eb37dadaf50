"""Process 0's side of the line: calls the roll, opens barriers, passes bad news on.

Threads of their own serve it, whatever the main thread is doing.
"""

import collections
import contextlib
import socket
import threading
from typing import Any

from cmr_jax.hosts.launchers import Place
from cmr_jax.hosts.wire import GONE, Link, label, labels

LEAVE = "leave"  # the barrier after which nobody is missed
LOOPBACK = ("localhost", "127.0.0.1")


class Leader:
    """Process 0's side: calls the roll, opens barriers, passes bad news on."""

    def __init__(self, place: Place, timeout_s: float):
        host, _, port = place.coordinator.rpartition(":")
        self._address = host
        self._place, self._timeout_s = place, timeout_s
        self._names = list(place.names)
        self._links: dict[int, Link] = {}
        self._asked, self._calls = False, dict[int, int]()  # to leave; how far each is
        self._arrived: dict[str, set[int]] = collections.defaultdict(set)
        self._changed = threading.Condition()
        self._refusal, self._started, self._over = "", False, False
        try:
            self._door = _listen(host, int(port), place.processes + 8)
        except OSError as error:
            raise ValueError(f"cannot listen at port {port} ({error}). Choose another.") from error
        for task in (self._accept, self._call_roll):
            threading.Thread(target=task, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the door closes
            while True:
                link = Link(self._door.accept()[0])
                threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _call_roll(self) -> None:
        def done() -> bool:
            return bool(self._refusal) or len(self._links) == self._place.processes

        with self._changed:
            if not self._changed.wait_for(done, self._timeout_s):
                absent = set(range(self._place.processes)) - set(self._links)
                self._refusal = (
                    f"{labels(absent, self._names)} did not come within {self._timeout_s:g} s. Look "
                    "at its own output, or wait longer with --join_timeout_s."
                )
            links, refusal = self._in_order(), self._refusal
            self._started = not refusal
        with _listen(self._address, 0) as free:  # one for JAX
            port = free.getsockname()[1]
        if not refusal:
            self.close()
        for link in links:
            if refusal:
                link.send(refused=refusal)
                link.close()
            else:
                link.send(start=f"{self._address}:{port}", names=self._names)

    def close(self) -> None:
        """Lets nobody in any more."""
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)  # wakes who waits there
        self._door.close()

    def _serve(self, link: Link) -> None:
        try:
            self._follow(link)
        finally:
            link.close()

    def _follow(self, link: Link) -> None:
        messages = iter(link)
        hello = next(messages, {})
        process, count = hello.get("process"), hello.get("processes")
        if not isinstance(process, int) or not isinstance(count, int):  # a stranger
            return
        name = str(hello.get("host"))
        with self._changed:
            if self._refusal:
                pass  # who comes late hears it too
            elif count != self._place.processes or not 0 <= process < count:
                own = self._place.processes
                self._refusal = (
                    f"{name} says process {process} of {count}, process 0 that of {own}."
                )
            elif process in self._links:
                both = f"{self._names[process]} and {name}"
                self._refusal = f"two say that they are process {process}: {both}."
            else:
                self._links[process], self._names[process] = link, name
            self._changed.notify_all()
            if self._refusal:
                link.send(refused=self._refusal)
                return
        for message in messages:
            self._handle(process, link, message)
        with self._changed:
            if not self._started:
                self._refusal = self._refusal or f"{label(process, self._names)} {GONE}."
                self._changed.notify_all()
                return
        if not self._over:
            self._tell(failed=GONE, process=process)

    def _handle(self, process: int, link: Link, message: dict[str, Any]) -> None:
        if name := message.get("barrier"):
            with self._changed:
                self._arrived[name].add(process)
                everyone = len(self._arrived[name]) == self._place.processes
            if everyone:
                self._over |= name == LEAVE
                self._tell(opened=name)
        elif name := message.get("who"):
            with self._changed:
                absent = sorted(set(range(self._place.processes)) - self._arrived[name])
            link.send(absent=absent, at=name)
        elif message.get("asks"):
            with self._changed:
                first, self._asked = not self._asked, True
            if first:
                self._tell(calls="?")
        elif (calls := message.get("calls")) is not None:
            with self._changed:
                self._calls[process] = calls
                everyone = len(self._calls) == self._place.processes
            if everyone:
                self._tell(leave_at=max(self._calls.values()) + 1)
        elif reason := message.get("failed"):
            self._over = True  # one cause is enough
            self._tell(failed=reason, process=process)

    def _in_order(self) -> list[Link]:
        # Process 0 comes last: with it ends this thread.
        return [link for _, link in sorted(self._links.items(), reverse=True)]

    def _tell(self, **message: Any) -> None:
        with self._changed:
            links = self._in_order()
        for link in links:
            link.send(**message)


def _listen(host: str, port: int, backlog: int = 1) -> socket.socket:
    if host in LOOPBACK:
        return socket.create_server(("127.0.0.1", port), backlog=backlog)
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    return socket.create_server(("", port), family=family, backlog=backlog, dualstack_ipv6=both)
