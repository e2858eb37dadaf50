"""Opens the room: on this machine alone, unless somebody says otherwise and has a token."""

import logging
import pathlib
import secrets
from typing import NamedTuple

import uvicorn

from cmr_jax.embedding import Model
from cmr_jax.search import calibrated
from cmr_jax.search.index import Index
from cmr_jax.search.query import Searcher
from cmr_jax.search.request import Query
from cmr_jax.search.room import app
from cmr_jax.search.room.audit import Audit
from cmr_jax.search.room.exams import Exams
from cmr_jax.search.room.guard import Rules, is_loopback
from cmr_jax.search.room.measured import Measured

SHORTEST = 16  # characters of a token
AT_ONCE = 200  # visitors
# Asked before anybody does, who then need not wait: a normal study names every finding, so that all prompts
# are embedded, and one, two and three new texts are programs of their own.
FIRST = ("Normal cardiac MRI.", "Heart.", "Ventricle. Atrium.", "Apex. Base. Septum.")

log = logging.getLogger(__name__)


class Door(NamedTuple):
    """Where the room is to be found."""

    host: str
    port: int
    names: tuple[str, ...] = ()
    token_file: str | None = None
    https: bool = False


def rules(door: Door) -> Rules:
    """A ValueError where a token is missing or poor."""
    names = {door.host, *door.names}
    if is_loopback(door.host):
        names |= {"localhost", "127.0.0.1", "[::1]"}
    hosts = {n if n.rpartition(":")[2].isdigit() else f"{n}:{door.port}" for n in names}
    hosts |= set(door.names)  # behind a proxy there is no port
    if is_loopback(door.host) and door.token_file is None:
        return Rules(frozenset(map(str.lower, hosts)), secure=door.https)
    if door.token_file is None:
        raise ValueError(
            f"--host {door.host} is seen by others: --token_file=FILE must hold a token of {SHORTEST} "
            f"characters or more, chmod 600, for instance {secrets.token_urlsafe(24)}"
        )
    token = _token(pathlib.Path(door.token_file))
    if not is_loopback(door.host):
        log.warning("the room is open to whoever reaches %s and has the token", door.host)
        if not door.https:
            log.warning(
                "without --https and a proxy that speaks it, the token travels in the clear"
            )
    return Rules(frozenset(map(str.lower, hosts)), token, door.https)


def serve(
    index: Index,
    model: Model,
    door: Door,
    allowed: Rules,
    audit: pathlib.Path | None,
    measured: Measured | None = None,
) -> None:
    """Until it is asked to leave."""
    known = calibrated.read(index.path).findings
    searcher = Searcher(index, model, calibrated.likely(known))
    for words in FIRST:
        searcher(Query(words, k=1))
    room = app.build(Exams(searcher, known, measured), allowed, Audit(audit))
    kept = f"what is asked is kept in {audit}" if audit else "what is asked is not kept"
    here = f"http://{door.host}:{door.port}/"
    print(f"{len(index)} exams at {here} ({kept}; Ctrl-C ends it)", flush=True)
    uvicorn.run(
        room,
        host=door.host,
        port=door.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=door.https,  # who is limited is the visitor that a proxy on this machine tells of
        limit_concurrency=AT_ONCE,
        timeout_keep_alive=10,
    )


def _token(file: pathlib.Path) -> str:
    if not file.is_file():
        raise ValueError(f"--token_file {file}: there is no such file.")
    if file.stat().st_mode & 0o077:
        raise ValueError(f"--token_file {file} can be read by others: chmod 600 it.")
    token = file.read_text().strip()
    if len(token) < SHORTEST:
        raise ValueError(f"--token_file {file}: a token has {SHORTEST} characters or more.")
    return token
