"""Many at once in the reading room: `python tests/benchmarks/search_load.py --index=INDEX`.

The exams of INDEX, and copies of them with vectors a little apart, --exams in all, are served by a process
of their own on this machine, calibrated if INDEX is.  --clients ask without a pause for --seconds: a search,
every second one in words that nobody asked before and every third with a filter, then an exam that the
index has pictures of, its small heart, and a slice.  Told are how many answers came, how long they took,
what was no answer, and the memory of the process that serves.
"""

import asyncio
import collections
import contextlib
import logging
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator

import httpx
import numpy as np
import psutil
import pyarrow as pa
from absl import app, flags

from cmr_jax import metrics
from cmr_jax.search import calibrated
from cmr_jax.search.index import KEY, Index

_INDEX = flags.DEFINE_string("index", None, "An index of exams.", required=True)
_EXAMS = flags.DEFINE_integer("exams", 100_000, "How many are served.")
_CLIENTS = flags.DEFINE_integer("clients", 50, "How many ask at once.")
_SECONDS = flags.DEFINE_float("seconds", 60, "How long.")
_PORT = flags.DEFINE_integer("port", 8467, "Where.")
QUERIES = pathlib.Path(__file__).with_name("queries.toml")
APART = 0.3  # of a copy's vector, how long what is added to it is
MIB = 1 << 20


def main(_: list[str]) -> None:
    """Makes the index, opens the room, asks."""
    logging.getLogger("httpx").setLevel(logging.WARNING)
    some = Index(pathlib.Path(_INDEX.value))
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "index")
        ids = grow(some, path)
        with served(path, pathlib.Path(folder, "audit.jsonl")) as server:
            took, wrong, memory = asyncio.run(ask(ids, psutil.Process(server.pid)))
    answers = sum(map(len, took.values()))
    print(f"{_EXAMS.value:,} exams, {_CLIENTS.value} clients, {_SECONDS.value:.0f} s")
    print(
        f"{answers:,} answers, {answers / _SECONDS.value:.0f} a second; no answers: {dict(wrong)}"
    )
    for name, times in took.items():
        middle, late = np.percentile(times, [50, 95])
        print(f"{name:8} {len(times):6,}  p50 {middle:7.0f} ms  p95 {late:7.0f} ms")
    first, last = np.mean(memory[: len(memory) // 4]), np.mean(memory[-len(memory) // 4 :])
    print(f"memory: {first:,.0f} MiB in the first quarter, {last:,.0f} in the last")


def grow(some: Index, path: pathlib.Path) -> list[str]:
    """An index of as many; the ids of those that are no copies."""
    rows = some.rows("", some.schema.names)
    facts = [f for f in some.schema if not pa.types.is_fixed_size_list(f.type) and f.name != KEY]
    made, rng = Index.create(path, some.about, facts), np.random.default_rng(0)
    with contextlib.suppress(FileNotFoundError):
        shutil.copy(some.path / calibrated.CALIBRATION_FILE, path)
    with made.writing() as writer:
        writer.add(rows)
        copies = -(-_EXAMS.value // len(rows))
        for first in range(1, copies, 16):
            turns = range(first, min(first + 16, copies))
            writer.add(pa.concat_tables([copy(rows, turn, rng) for turn in turns]))
    return rows[KEY].to_pylist()


def copy(rows: pa.Table, turn: int, rng: np.random.Generator) -> pa.Table:
    """The same exams under other names."""
    ids = [f"{name}-{turn}" for name in rows[KEY].to_pylist()]
    rows = rows.set_column(rows.schema.get_field_index(KEY), KEY, pa.array(ids))
    for i, field in enumerate(rows.schema):
        if pa.types.is_fixed_size_list(field.type):
            column = rows[field.name].combine_chunks()
            width = field.type.list_size
            flat = np.nan_to_num(column.values.to_numpy(zero_copy_only=False))
            vectors = flat.reshape(-1, width) + APART * rng.standard_normal(width) / width**0.5
            values = pa.array(metrics.normalise(vectors).astype(np.float32).ravel())
            mask = pa.compute.is_null(column)
            apart = pa.FixedSizeListArray.from_arrays(values, width, mask=mask)
            rows = rows.set_column(i, field.name, apart)
    return rows


@contextlib.contextmanager
def served(path: pathlib.Path, audit: pathlib.Path) -> Iterator[subprocess.Popen]:
    """The room, once it is open."""
    command = [sys.executable, "-m", "cmr_jax.search", "serve", str(path)]
    command += [f"--port={_PORT.value}", f"--audit={audit}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            print(process.stdout.readline().strip(), flush=True)
            yield process
        finally:
            process.terminate()


async def ask(ids: list[str], server: psutil.Process):
    """Milliseconds by kind, what went wrong by what, and the server's memory second by second."""
    took: dict[str, list[float]] = collections.defaultdict(list)
    wrong: collections.Counter[str] = collections.Counter()
    memory = []
    base = f"http://127.0.0.1:{_PORT.value}"
    limits = httpx.Limits(max_connections=_CLIENTS.value)
    async with httpx.AsyncClient(base_url=base, limits=limits, timeout=60) as client:
        until = time.monotonic() + _SECONDS.value
        asking = [one(client, n, ids, until, took, wrong) for n in range(_CLIENTS.value)]
        everybody = asyncio.gather(*asking)
        while not everybody.done():
            memory.append(server.memory_info().rss / MIB)
            await asyncio.sleep(1)
        await everybody
    return took, wrong, memory


async def one(client: httpx.AsyncClient, number: int, ids: list[str], until: float, took, wrong):
    """A client, until time is up."""
    draw = random.Random(number)
    words = [q["words"] for q in tomllib.loads(QUERIES.read_text())["query"]]

    async def get(kind: str, path: str, body: dict | None = None) -> None:
        began = time.perf_counter()
        try:
            answer = await (client.post(path, json=body) if body else client.get(path))
        except httpx.HTTPError as error:
            wrong[type(error).__name__] += 1
            return
        if answer.status_code == 200:
            took[kind].append(1000 * (time.perf_counter() - began))
        else:
            wrong[f"{kind} {answer.status_code}"] += 1

    turn = 0
    while time.monotonic() < until:
        turn += 1
        new = f" Asked by {number} in turn {turn}." if turn % 2 else ""
        where = [] if turn % 3 else ["has=LGE"]
        await get("search", "/api/search", {"words": draw.choice(words) + new, "where": where})
        exam = draw.choice(ids)
        await get("exam", f"/api/exam/{exam}")
        await get("heart", f"/api/heart/{exam}")
        await get("slice", f"/api/frames/{exam}/0/0")


if __name__ == "__main__":
    app.run(main)
