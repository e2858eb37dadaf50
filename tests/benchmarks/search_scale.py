"""How search grows: `python tests/benchmarks/search_scale.py [--exams=1000000] [--width=512]`.

Vectors as embeddings are: most of what varies lies in a few dozen directions, a tenth of their length is
noise.  Told are the time to make an index, its size, the time of a search for ten, the share of the true
ten that are found, and the memory of the process; beside a product with all vectors in memory, and beside
faiss and usearch where they are installed (they keep vectors alone: no filters, no facts, no versions for
readers while somebody writes).  Each takes a process of its own.
"""

import contextlib
import importlib.util
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa
from absl import app, flags

from cmr_jax.search.about import About
from cmr_jax.search.index import EXAM, KEY, Index, one_of
from cmr_jax.search.query import WEIGHED

_EXAMS = flags.DEFINE_integer("exams", 1_000_000, "How many.")
_WIDTH = flags.DEFINE_integer("width", 512, "Numbers of a vector.")
_FOLDER = flags.DEFINE_string("folder", None, "Of vectors that one side is to search.")
_SIDE = flags.DEFINE_string("side", None, "That side.")
ASKED, K, SITES = 200, 10, 1000
CHUNK = 50_000
LATENT, NOISE = 64, 0.1
MIB = 1 << 20
Ask = Callable[[np.ndarray], np.ndarray]


def main(_: list[str]) -> None:
    """Every side in turn."""
    if _SIDE.value:
        measure(_SIDE.value, pathlib.Path(_FOLDER.value))
        return
    with tempfile.TemporaryDirectory() as folder:
        draw(pathlib.Path(folder))
        print(f"{_EXAMS.value:,} vectors of {_WIDTH.value}, {ASKED} searches for {K}", flush=True)
        for side in SIDES:
            if side in ("faiss", "usearch") and not importlib.util.find_spec(side):
                print(f"{side}: not installed", flush=True)
                continue
            own = [sys.executable, __file__, f"--side={side}", f"--folder={folder}"]
            subprocess.run(own, check=True)


def draw(folder: pathlib.Path) -> None:
    """Vectors, questions, and what is truly nearest."""
    rng = np.random.default_rng(0)
    spread = np.arange(1, LATENT + 1, dtype=np.float32)[:, None] ** -0.5
    across = spread * rng.standard_normal((LATENT, _WIDTH.value), np.float32)

    def some(count: int) -> np.ndarray:
        x = rng.standard_normal((count, LATENT), np.float32) @ across
        noise = rng.standard_normal(x.shape, np.float32)
        x += NOISE * np.linalg.norm(x, axis=1, keepdims=True) * noise / _WIDTH.value**0.5
        return x / np.linalg.norm(x, axis=1, keepdims=True)

    shape = (_EXAMS.value, _WIDTH.value)
    vectors = np.lib.format.open_memmap(folder / "vectors.npy", "w+", np.float32, shape)
    asked = some(ASKED)
    best = np.full((ASKED, 0), 0.0, np.float32)
    who = np.zeros((ASKED, 0), int)
    for first in range(0, _EXAMS.value, CHUNK):
        part = some(min(CHUNK, _EXAMS.value - first))
        vectors[first : first + CHUNK] = part
        best = np.concatenate([best, asked @ part.T], 1)
        who = np.concatenate([who, np.tile(np.arange(len(part)) + first, (ASKED, 1))], 1)
        order = np.argsort(-best, 1)[:, :K]
        best, who = np.take_along_axis(best, order, 1), np.take_along_axis(who, order, 1)
    np.save(folder / "asked.npy", asked)
    np.save(folder / "nearest.npy", who)


def measure(side: str, folder: pathlib.Path) -> None:
    """One side: what it took to make, then searches of some kinds."""
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    asked, nearest = np.load(folder / "asked.npy"), np.load(folder / "nearest.npy")
    place = folder / side
    place.mkdir()
    began = time.monotonic()
    for number, (name, ask, searched) in enumerate(SIDES[side](vectors, place)):
        if not number:
            size = sum(f.stat().st_size for f in place.rglob("*") if f.is_file()) / MIB
            made = time.monotonic() - began
            print(f"{side}: made in {made:.0f} s, {size:,.0f} MiB on disk", flush=True)
        truth = nearest
        if searched is not None:
            scores = asked @ np.asarray(vectors[searched]).T
            truth = np.arange(len(vectors))[searched][np.argsort(-scores, 1)[:, :K]]
        for one in asked[:5]:
            ask(one)
        took, right = [], 0
        for one, true in zip(asked, truth, strict=True):
            start = time.perf_counter()
            found = ask(one)
            took.append(1000 * (time.perf_counter() - start))
            right += len(set(found.tolist()) & set(true.tolist()))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{name:44} p50 {np.percentile(took, 50):7.1f} ms, p95 {np.percentile(took, 95):7.1f}, "
            f"recall {right / K / ASKED:.4f}; peak memory {peak:6,.0f} MiB",
            flush=True,
        )


def ours(vectors: np.ndarray, place: pathlib.Path):
    """As `search index` writes, less the vectors of parts; with a filter too, and opened anew."""
    about = About("", "", vectors.shape[1], {}, (), 1.0, 1)
    index = Index.create(place / "index", about, [pa.field("site", pa.string())])
    with index.writing() as writer:
        for first in range(0, len(vectors), CHUNK):
            part = np.ascontiguousarray(vectors[first : first + CHUNK])
            ids = range(first, first + len(part))
            rows = {
                KEY: list(map(str, ids)),
                "site": [str(i % SITES) for i in ids],
                EXAM: pa.FixedSizeListArray.from_arrays(pa.array(part.ravel()), part.shape[1]),
            }
            writer.add(pa.table(rows, schema=index.schema))

    def asker(index: Index, where: str = "") -> Ask:
        return lambda one: np.array(index.nearest(one, K, where)[KEY].to_pylist(), int)

    def weighed(one: np.ndarray) -> np.ndarray:
        best = index.nearest(one, WEIGHED)[KEY].to_pylist()[:K]
        index.rows(one_of(KEY, best), [KEY, EXAM])
        return np.array(best, int)

    yield "ours", asker(index), None
    yield f"ours, {WEIGHED} to be weighed", weighed, None
    yield "ours, one site of a thousand", asker(index, "site = '7'"), slice(7, None, SITES)
    began = time.perf_counter()
    again = Index(place / "index")
    opened = time.perf_counter() - began
    yield f"ours, opened anew in {1000 * opened:.0f} ms", asker(again), None


def in_memory(vectors: np.ndarray, _: pathlib.Path):
    """Nothing made, nothing missed."""
    whole = np.array(vectors)
    yield "a product with all, in memory", lambda one: np.argpartition(-(whole @ one), K)[:K], None


def of_faiss(vectors: np.ndarray, place: pathlib.Path):
    """Inverted lists of eight bits a number, of which as many are looked at as ours looks at."""
    import faiss

    width, lists = vectors.shape[1], round(len(vectors) ** 0.5)
    kind = faiss.ScalarQuantizer.QT_8bit
    inner = faiss.METRIC_INNER_PRODUCT
    made = faiss.IndexIVFScalarQuantizer(faiss.IndexFlatIP(width), width, lists, kind, inner)
    rows = np.random.default_rng(0).choice(len(vectors), 64 * lists, replace=False)
    made.train(np.asarray(vectors[np.sort(rows)]))
    for first in range(0, len(vectors), CHUNK):
        made.add(np.asarray(vectors[first : first + CHUNK]))
    faiss.write_index(made, str(place / "index"))
    index = faiss.read_index(str(place / "index"), faiss.IO_FLAG_MMAP)
    index.nprobe = lists // 4

    def ask(one: np.ndarray) -> np.ndarray:
        (found,) = index.search(one[None], 10 * K)[1]
        found = np.sort(found[found >= 0])
        return found[np.argsort(-(vectors[found] @ one))[:K]]

    yield "faiss, IVF of 8 bits, compared exactly", ask, None


def of_usearch(vectors: np.ndarray, place: pathlib.Path):
    """A graph (HNSW) of eight bits a number."""
    from usearch.index import Index as Graph

    options = {"metric": "ip", "dtype": "i8", "connectivity": 32, "expansion_add": 128}
    made = Graph(ndim=vectors.shape[1], **options)
    for first in range(0, len(vectors), CHUNK):
        part = np.asarray(vectors[first : first + CHUNK])
        made.add(np.arange(first, first + len(part)), part)
    made.save(str(place / "index"))
    graph = Graph.restore(str(place / "index"), view=True)
    graph.expansion_search = 256

    def ask(one: np.ndarray) -> np.ndarray:
        found = np.sort(graph.search(one, 10 * K).keys.astype(int))
        return found[np.argsort(-(vectors[found] @ one))[:K]]

    yield "usearch, HNSW of 8 bits, compared exactly", ask, None


SIDES = {"ours": ours, "memory": in_memory, "faiss": of_faiss, "usearch": of_usearch}

if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        app.run(main)
