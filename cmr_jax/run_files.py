"""The folder of a run, its workdir: config and tokenizer in it, and who may write there."""

import contextlib
import errno
import fcntl
import json
import logging
import os
import pathlib
import socket
import time
from collections.abc import Iterator

from cmr_jax import config, journal
from cmr_jax.tokenizer import Tokenizer

log = logging.getLogger(__name__)

CONFIG_FILE = "config.json"
LOCK_FILE = ".lock"


@contextlib.contextmanager
def held(workdir: pathlib.Path) -> Iterator[None]:
    """Makes the folder and holds it: a second run there is a ValueError that names the first.

    The hold ends with the process, however it ends.  Some network file systems know no locks: then
    a warning says so, and nobody is kept out.
    """
    path = workdir / LOCK_FILE
    with journal.writing(path):
        workdir.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise ValueError(
                f"{workdir} is in use by {holder}. Wait for it, or take another folder."
            ) from None
        except OSError as error:
            if error.errno not in (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP):
                raise
            log.warning("%s knows no locks: see to it that one run alone writes there.", workdir)
        with journal.writing(path):
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}")
            file.flush()
        yield


def write(workdir: pathlib.Path, cfg: config.Experiment, tokenizer: Tokenizer) -> None:
    """What makes a workdir a model: its config and its tokenizer."""
    workdir.mkdir(parents=True, exist_ok=True)
    journal.replace(workdir / tokenizer.FILE, tokenizer.model)
    plain = json.dumps(config.to_json(cfg), indent=1) + "\n"
    journal.replace(workdir / CONFIG_FILE, plain.encode())


def await_all(workdir: pathlib.Path, timeout_s: float = 90) -> None:
    """Waits until the files that the first process wrote are seen here.

    A network file system may take a minute to show what another machine has made; a workdir that
    is not shared never does, which is an error.
    """
    deadline = time.monotonic() + timeout_s
    while not (workdir / CONFIG_FILE).exists():
        if time.monotonic() > deadline:
            raise ValueError(
                f"{socket.gethostname()} does not see {workdir / CONFIG_FILE}, which process 0 has "
                "made. --workdir must lie on a file system that all hosts share."
            )
        time.sleep(1)
