"""What is kept of a run once its model is judged: a few kilobytes, from which every number comes.

One Parquet file for each arm and seed: of each exam where it stands by each score, and beside that,
as metadata, what the run was and what it cost.  `exams.parquet` has what all runs share: whose the
exams are, and what is true of them.
"""

import dataclasses
import json
import pathlib
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Shaped

EXAMS_FILE = "exams.parquet"
ABOUT = b"about"
KEYS = ("data", "exam_id")
VAL, TEST = "val", "test"  # the data sets of home; others have names of their own
# Columns are called by a kind of question and a finding, by a way of retrieval, or by a label.
ZERO_SHOT, HELD_OUT, FEW_SHOT, STRESSED = KINDS = ("zero_shot", "held_out", "few_shot", "stressed")
LABEL, PLACE = "label_", "place_"
Columns = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Scored:
    """What one run says of the exams, row by row of `exams.parquet`, and what it is."""

    columns: Columns
    about: dict[str, Any]


def file_of(folder: pathlib.Path, arm: str, seed: int) -> pathlib.Path:
    """Of a run."""
    return folder / f"{arm}-{seed}.parquet"


def places(score: Shaped[np.ndarray, " n"], data: np.ndarray) -> np.ndarray:
    """Where each exam stands among those of its data set, from 0; equal scores share a place.

    All that measures of ranking ask of a score, in two bytes.
    """
    found = np.empty(len(score), np.uint16)
    for name in np.unique(data):
        rows = data == name
        found[rows] = np.unique(score[rows], return_inverse=True)[1]
    return found


def write_exams(folder: pathlib.Path, exams: Columns) -> None:
    """Once; a ValueError where the folder has those of other data."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / EXAMS_FILE
    if path.is_file():
        known = read_exams(folder)
        if any(not np.array_equal(known[k], exams[k]) for k in KEYS):
            raise ValueError(
                f"{path} is of other exams than those that were scored now. Results of different "
                "data cannot be compared: say another --results."
            )
        return
    _write(path, exams, {})


def read_exams(folder: pathlib.Path) -> Columns:
    """A ValueError where there are none."""
    return _read(folder / EXAMS_FILE).columns


def write(path: pathlib.Path, scored: Scored) -> None:
    """Whole or not at all."""
    _write(path, scored.columns, scored.about)


def read(path: pathlib.Path) -> Scored:
    """A ValueError where it cannot be."""
    return _read(path)


def _write(path: pathlib.Path, columns: Columns, about: dict[str, Any]) -> None:
    table = pa.table(columns).replace_schema_metadata({ABOUT: json.dumps(about).encode()})
    part = path.with_suffix(".part")
    pq.write_table(table, part, compression="zstd", compression_level=19)
    part.replace(path)


def _read(path: pathlib.Path) -> Scored:
    try:
        table = pq.read_table(path)
        about = json.loads((table.schema.metadata or {}).get(ABOUT, b"{}"))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise ValueError(f"{path} cannot be read ({type(error).__name__}).") from None
    columns = {n: table[n].to_numpy(zero_copy_only=False) for n in table.column_names}
    return Scored(columns, about)
