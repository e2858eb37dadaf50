"""A process that writes to an index, or reads it, until it is stopped: `python -m tests.search_writer`.

write INDEX   adds ROWS exams at a time under new names, for ever; a word a time when they are in
read INDEX    asks until its input ends; then says how often, and what counts of exams it saw
"""

import itertools
import json
import pathlib
import select
import sys

import numpy as np
import pyarrow as pa

from cmr_jax.search import index
from cmr_jax.search.index import EXAM, KEY, SCORE, Index

ROWS = 8


def write(path: pathlib.Path) -> None:
    """Copies of exams that are there."""
    opened = Index(path)
    some = opened.rows("", opened.schema.names).slice(0, ROWS)
    with opened.writing() as writer:
        for turn in itertools.count():
            names = pa.array([f"new{turn:06}{i:02}" for i in range(ROWS)])
            writer.add(some.set_column(some.schema.get_field_index(KEY), KEY, names))
            print(turn, flush=True)


def read(path: pathlib.Path) -> None:
    """Whole versions: what is found has vectors, and counts differ by whole additions."""
    opened = Index(path)
    direction = opened.sample(1)[0]
    seen, asked = set(), 0
    print("reading", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        found = opened.nearest(direction, 5, columns=(KEY, EXAM))
        assert found.num_rows == 5
        assert np.isfinite(found[SCORE].to_numpy()).all()
        seen.add(len(opened))
        asked += 1
    print(json.dumps({"asked": asked, "seen": sorted(seen)}))


if __name__ == "__main__":
    index.RENEWED = index.datetime.timedelta(0)
    {"write": write, "read": read}[sys.argv[1]](pathlib.Path(sys.argv[2]))
