"""Prepared data of one or several sites as one source, and where each next exam comes from."""

import bisect
import itertools
from collections.abc import Sequence

import grain
import numpy as np

from cmr_jax import config
from cmr_jax.data.shards import splits_of
from cmr_jax.data.source import Exam, ExamSource
from cmr_jax.schema import Stack
from cmr_jax.tokenizer import Tokenizer


class Sites:
    """Sources end to end: the exams of the first, then those of the second, and so on."""

    def __init__(self, paths: Sequence[str], split: str):
        self.sources: list[ExamSource] = []
        self._frames = [0]  # how many frame records come before each
        for path in paths:
            self.sources.append(ExamSource(path, split, self._frames[-1]))
            self._frames.append(self._frames[-1] + self.sources[-1].frame_records)
        self._starts = [0, *itertools.accumulate(map(len, self.sources))]

    def __len__(self) -> int:
        return self._starts[-1]

    def __getitem__(self, index: int) -> Exam:
        if not 0 <= index < len(self):
            raise IndexError(f"there is no exam {index} among {len(self)}")
        source, start = self._of(index)
        return source[int(index) - start]

    def frames(self, stack: Stack, slice_index: int, exam_id: str = "") -> np.ndarray:
        """One slice of a stack, uint8 (time, rows, columns); of that exam, if given."""
        site = bisect.bisect_right(self._frames, stack.first_frame, hi=len(self.sources)) - 1
        return self.sources[site].frames(stack, slice_index, exam_id)

    def name(self, index: int) -> str:
        """An exam as messages name it."""
        source, start = self._of(index)
        return source.name(index - start)

    def site(self, index: int) -> range:
        """The exams of the same site."""
        source, start = self._of(index)
        return range(start, start + len(source))

    def _of(self, index: int) -> tuple[ExamSource, int]:
        site = bisect.bisect_right(self._starts, index) - 1
        return self.sources[site], self._starts[site]


class Some:
    """Some exams of a source, in an order of their own."""

    def __init__(self, source: "ExamSource | Sites", rows: Sequence[int]):
        self._source, self._rows = source, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Exam:
        return self._source[self._rows[index]]

    def frames(self, stack: Stack, slice_index: int, exam_id: str = "") -> np.ndarray:
        """One slice of a stack, uint8 (time, rows, columns); of that exam, if given."""
        return self._source.frames(stack, slice_index, exam_id)

    def name(self, index: int) -> str:
        """An exam as messages name it."""
        return self._source.name(self._rows[index])

    def site(self, index: int) -> range:
        """The exams of the same site: all."""
        return range(len(self))


Source = ExamSource | Sites | Some


def open_training(data: config.Data) -> Source:
    """The exams to train on: of data.path, or of all data.paths."""
    first, *others = paths_of(data)
    return Sites([first, *others], "train") if others else ExamSource(first, "train")


def open_split(data: config.Data, split: str) -> Source | None:
    """The exams of a split, of all sites that have it; None where none does."""
    paths = [path for path in paths_of(data) if split in splits_of(path)]
    if not paths:
        return None
    return Sites(paths, split) if len(paths) > 1 else ExamSource(paths[0], split)


def paths_of(data: config.Data) -> tuple[str, ...]:
    """Where the prepared data lies: one folder or several.  A ValueError if none is said."""
    paths = data.paths or (data.path,)
    if not all(paths):
        raise ValueError("no data: say where prepared data lies with --config.data.path=DIR.")
    return paths


def vocabulary_of(data: config.Data) -> str:
    """The tokenizer to train with: the one given, or that of the data, of which all must agree."""
    if data.vocabulary:
        return data.vocabulary
    paths = paths_of(data)
    first = paths[0]
    for other in paths[1:]:
        if Tokenizer.load(other).model != Tokenizer.load(first).model:
            raise ValueError(
                f"{first} and {other} have different tokenizers. Choose one for all with "
                f"--config.data.vocabulary={first}."
            )
    return first


def deal(source: Source, usable: Sequence[int], data: config.Data, seed: int):
    """An endless data set of usable exams: each site shuffled, and sites mixed by their shares."""
    sites = _by_site(source, usable)
    dealt = [
        grain.MapDataset.source(exams).seed(_seed_of(seed, at)).shuffle().repeat(None)
        for at, exams in enumerate(sites)
    ]
    if len(dealt) == 1:
        return dealt[0]
    weights = data.shares or tuple(float(len(exams)) for exams in sites)
    return grain.MapDataset.mix(dealt, weights).seed(seed)


def _seed_of(seed: int, site: int) -> int:
    """A seed of its own for each site and run; the first has the run's."""
    return int(np.random.SeedSequence((seed, site)).generate_state(1)[0]) if site else seed


def _by_site(source: Source, usable: Sequence[int]) -> list[Sequence[int]]:
    sites, at = [], 0
    while at < len(source):
        site = source.site(at)
        low, high = (bisect.bisect_left(usable, i) for i in (site.start, site.stop))
        if low == high:
            raise ValueError(f"no exam of the site of {source.name(at)} can be used. Leave it out.")
        sites.append(usable[low:high])
        at = site.stop
    return sites
