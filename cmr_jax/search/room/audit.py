"""Who asked what: one JSON object a line, in a file that its owner alone reads."""

import datetime
import json
import os
import pathlib
import threading
from typing import Any

LONGEST = 2000  # characters of what was asked


class Audit:
    """Writes to a file; without one, nothing is kept."""

    def __init__(self, path: pathlib.Path | None):
        self._path, self._lock = path, threading.Lock()
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_APPEND, 0o600))

    @property
    def kept(self) -> bool:
        """Whether anything is."""
        return self._path is not None

    def tell(self, who: str, path: str, asked: Any, status: int) -> None:
        """One request."""
        if self._path is None:
            return
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        line = {
            "time": now,
            "who": who,
            "path": path,
            "asked": json.dumps(asked)[:LONGEST],
            "status": status,
        }
        with self._lock, self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")
