"""A connection that carries JSON objects, and how a process is called."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterable, Iterator
from typing import Any

LONGEST = 2**20  # of a line: a roster of ten thousand hosts
GONE = "is gone without a word: killed, out of memory, or its machine is down"


class Link:
    """A connection that carries JSON objects, one a line."""

    def __init__(self, sock: socket.socket):
        # A machine that is switched off closes nothing: the kernel asks, and gives up in a minute.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (("KEEPIDLE", 30), ("KEEPINTVL", 10), ("KEEPCNT", 3)):
            if option := getattr(socket, f"TCP_{name}", None):
                sock.setsockopt(socket.IPPROTO_TCP, option, value)
        self._sock, self._lines, self._lock = sock, sock.makefile("rb"), threading.Lock()

    def send(self, **message: Any) -> None:
        """Sends; that the other end is gone is for its reader to notice."""
        with self._lock, contextlib.suppress(OSError):
            self._sock.sendall(json.dumps(message).encode() + b"\n")

    def __iter__(self) -> Iterator[dict[str, Any]]:
        with contextlib.suppress(OSError, ValueError):
            while line := self._lines.readline(LONGEST):
                message = json.loads(line)
                if not isinstance(message, dict):
                    return
                yield message

    def close(self) -> None:
        """Ends both directions, also for a reader that waits."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._lines.close()
        self._sock.close()


def label(process: int, names: Iterable[str | None]) -> str:
    """`process 3 of 4 (node7)`."""
    names = tuple(names)
    return f"process {process} of {len(names)}" + (f" ({names[process]})" if names[process] else "")


def labels(processes: Iterable[int], names: Iterable[str | None]) -> str:
    """The first few by name, the rest counted."""
    names, processes = tuple(names), sorted(processes)
    more = f" and {len(processes) - 8} more" if len(processes) > 8 else ""
    return ", ".join(label(process, names) for process in processes[:8]) + more
