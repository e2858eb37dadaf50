"""The index on disk: one row an exam, its vectors and what may be filtered by, in a LanceDB table.

Readers and one writer need not wait for each other: a write is seen whole or not at all, as Lance
commits versions.  What a writer has finished is sealed: the sizes of its files are looked at whenever
the index is opened, their checksums by `check`.
"""

import contextlib
import datetime
import pathlib
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import lancedb
import numpy as np
import pyarrow as pa
from jaxtyping import Float

from cmr_jax import run_files
from cmr_jax.search import seal
from cmr_jax.search.about import ABOUT_FILE, About

SEAL_FILE, TABLE = "seal.json", "exams"
ERASING_FILE = "erasing"  # there while exams are taken off the disk
KEY, EXAM = "exam_id", "exam"  # the columns of the id and of the vector of the whole exam
SCORE = "score"
# Below so many exams every vector is looked at, which takes 2 ms a thousand.  Above, those of the nearest
# partitions (of all, with a filter), by a few bits for each number (RaBitQ, Gao 2024, arXiv:2405.12497,
# arXiv:2409.09913), of which the best are compared exactly: tests/benchmarks/search_scale.py.
APPROXIMATE_FROM = 20_000
PROBED, LEAST_PROBED = 1 / 4, 80  # of the partitions
BITS = 4
REFINED, MOST_REFINED = (
    10,
    1000,
)  # times as many as are asked for are compared exactly; of many, fewer
OUTGROWN = 1.5  # times as many partitions as there are would be right: they are drawn anew
APPROXIMATE = f"{EXAM}_in_"  # the name of such an index, and in how many partitions
KEPT = datetime.timedelta(hours=1)  # old versions, for readers that have them open
RENEWED = datetime.timedelta(seconds=1)  # how soon a reader sees what was written
SEEN = 3 * RENEWED  # then no reader asks an old version any more
AT_ONCE = 8192  # rows that are read together where all are
BROKEN = (RuntimeError, OSError, pa.ArrowInvalid)


class Damaged(ValueError):
    """What lies on the disk cannot be read."""


class Index:
    """An open index; ValueErrors say what is wrong with it."""

    def __init__(self, path: pathlib.Path):
        self.path, self.about = path, About.read(path)
        seal.check(_folder(path), path / SEAL_FILE, sized_only=True)
        with self._reading():
            database = lancedb.connect(path, read_consistency_interval=RENEWED)
            self._table = database.open_table(TABLE)

    @classmethod
    def create(cls, path: pathlib.Path, about: About, columns: Iterable[pa.Field]) -> "Index":
        """An empty one, in a folder that has none; `columns` beside the key and the vectors."""
        if (path / ABOUT_FILE).exists():
            raise ValueError(f"{path} is an index already.")
        vector = pa.list_(pa.float32(), about.width)
        vectors = [pa.field(name, vector) for name in (EXAM, *about.parts)]
        lancedb.connect(path).create_table(
            TABLE, schema=pa.schema([pa.field(KEY, pa.string()), *columns, *vectors]), exist_ok=True
        )
        about.write(path)
        return cls(path)

    def __len__(self) -> int:
        with self._reading():
            return self._table.count_rows()

    @property
    def schema(self) -> pa.Schema:
        """Of its rows."""
        return self._table.schema

    @property
    def version(self) -> int:
        """Grows with every write."""
        with self._reading():
            return self._table.version

    def ids(self, where: str = "") -> list[str]:
        """Exams of the index, of those where a condition holds."""
        return self.rows(where, [KEY])[KEY].to_pylist()

    def rows(self, where: str, columns: list[str]) -> pa.Table:
        """Some columns of the exams where a condition holds ("": of all)."""
        with self._reading():
            query = self._table.search().select(columns)
            return (query.where(where) if where else query).limit(None).to_arrow()

    def values(self, columns: Mapping[str, str]) -> dict[str, list[str]]:
        """What texts some columns have, or lists of texts in them, by the names given here."""
        if not columns:
            return {}
        found: dict[str, set[str]] = {name: set() for name in columns}
        with self._reading():
            asked = self._table.search().select(sorted(set(columns.values()))).limit(None)
            for batch in asked.to_batches(AT_ONCE):
                for name, column in columns.items():
                    values = batch[column]
                    flat = values.flatten() if pa.types.is_list(values.type) else values
                    found[name] |= set(flat.unique().to_pylist())
        return {name: sorted(values - {None, ""}) for name, values in found.items()}

    def nearest(
        self,
        vector: Float[np.ndarray, " e"],
        k: int,
        where: str = "",
        columns: tuple[str, ...] = (KEY,),
    ) -> pa.Table:
        """The k exams whose unit vectors have the largest product with this one, best first, with that
        product as `score`; of those where a condition holds."""
        with self._reading():
            query: Any = self._table.search(vector.astype(np.float32), vector_column_name=EXAM)
            query = query.distance_type("dot").limit(k).select([*columns, "_distance"])
            if where:
                query = query.where(where, prefilter=True)
            if partitions := _approximate(self._table):
                # What a filter leaves may lie anywhere.
                probed = partitions if where else max(LEAST_PROBED, round(partitions * PROBED))
                query = query.nprobes(min(probed, partitions))
                query = query.refine_factor(max(1, min(REFINED, MOST_REFINED // k)))
            found = query.to_arrow()
        score = 1 - found["_distance"].to_numpy()
        return found.drop_columns("_distance").append_column(SCORE, pa.array(score))

    def vectors(self, where: str) -> Float[np.ndarray, "n e"]:
        """Of the whole exams where a condition holds."""
        return self._array(self.rows(where, [EXAM]))

    def sample(self, most: int, seed: int = 0) -> Float[np.ndarray, "n e"]:
        """Vectors of all whole exams; where there are more, of so many, drawn at random."""
        with self._reading():
            count = self._table.count_rows()
            if count <= most:
                return self._array(self._table.search().select([EXAM]).limit(None).to_arrow())
            drawn = np.random.default_rng(seed).choice(count, most, replace=False)
            taken = self._table.take_offsets(sorted(drawn.tolist())).select([EXAM])
            return self._array(taken.to_arrow())

    def _array(self, found: pa.Table) -> Float[np.ndarray, "n e"]:
        flat = found[EXAM].combine_chunks().flatten().to_numpy()
        return flat.reshape(len(found), self.about.width)

    @contextlib.contextmanager
    def writing(self) -> Iterator["Writer"]:
        """Holds the index, so that nobody else writes; what was written is sealed at the end."""
        folder, file = _folder(self.path), self.path / SEAL_FILE
        with run_files.held(self.path):
            writer = Writer(self._table, self.path / ERASING_FILE)
            yield writer
            # Also where a writer was killed before it came to this.
            if writer.changed or not seal.covers(folder, file):
                known = seal.read(file)
                file.unlink(missing_ok=True)  # old files may go now
                writer.tend()
                seal.close(folder, file, known)

    def check(self) -> int:
        """Compares every file of the table with its checksum; how many there are."""
        return seal.check(_folder(self.path), self.path / SEAL_FILE, sized_only=False)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except BROKEN as error:
            first = str(error).splitlines()[0][:200]
            raise Damaged(f"{self.path} cannot be read, it may be damaged: {first}") from None


class Writer:
    """What may be done to an index that is held."""

    def __init__(self, table: Any, erasing: pathlib.Path):
        self._table, self.changed, self._erasing = table, False, erasing

    def add(self, rows: pa.Table) -> None:
        """Adds exams; those that are there already are replaced."""
        self.changed = True
        merge = self._table.merge_insert(KEY).when_matched_update_all()
        merge.when_not_matched_insert_all().execute(rows, on_bad_vectors="null")

    def place(self, rows: pa.Table) -> None:
        """Sets some columns of exams that are there."""
        self.changed = True
        self._table.merge_insert(KEY).when_matched_update_all().execute(rows)

    def remove(self, where: str) -> None:
        """Takes out the exams where a condition holds; off the disk when the writing ends."""
        self.changed = True
        self._erasing.touch()
        self._table.delete(where)

    def tend(self) -> None:
        """Joins what was written in pieces, and leaves out what was removed; many exams get an index that
        is not looked through whole."""
        erasing = self._erasing.exists()
        if erasing:  # all files are written anew, and what was made of the old ones
            for one in self._table.list_indices():
                self._table.drop_index(one.name)
            self._table.update(values_sql={KEY: KEY})
        self._table.optimize(cleanup_older_than=KEPT)
        count, partitions = self._table.count_rows(), _approximate(self._table)
        wanted = round(count**0.5)
        if count >= APPROXIMATE_FROM and wanted > partitions * OUTGROWN:
            made = lancedb.index.IvfRq(distance_type="dot", num_partitions=wanted, num_bits=BITS)
            self._table.create_index(EXAM, config=made, name=f"{APPROXIMATE}{wanted}")
            if partitions:
                self._table.drop_index(f"{APPROXIMATE}{partitions}")
            else:
                self._table.create_index(KEY, config=lancedb.index.BTree(), name=KEY)
        if erasing:
            # Nor does an old version keep it, once readers have seen that there is a new one.
            time.sleep(SEEN.total_seconds())
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "optimize")
                self._table.optimize(cleanup_older_than=datetime.timedelta(0))
            self._erasing.unlink()


def quoted(text: str) -> str:
    """A text as conditions have it."""
    return "'" + text.replace("'", "''") + "'"


def one_of(column: str, values: Iterable[str]) -> str:
    """The condition that a column has one of some values."""
    listed = ", ".join(map(quoted, values))
    return f"{column} IN ({listed})" if listed else "false"


def _approximate(table: Any) -> int:
    """In how many partitions its vectors lie; 0 where every one is looked at."""
    named = (one.name for one in table.list_indices() if one.name.startswith(APPROXIMATE))
    return max((int(name.removeprefix(APPROXIMATE)) for name in named), default=0)


def _folder(path: pathlib.Path) -> pathlib.Path:
    return path / f"{TABLE}.lance"
