"""What takes the place of an exam that cannot be read, never in silence."""

import bisect
import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import grain
import numpy as np

from cmr_jax.data.broken import Broken, BrokenRecord, check_share
from cmr_jax.data.sites import Source

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Replacement:
    """The next usable exam of the same site, round and round: a function of the index alone."""

    source: Source
    usable: Sequence[int]  # ascending
    share: float  # of the exams that may be broken

    def first(self, index: int, read: Callable[[int], T]) -> tuple[T, list[Broken]]:
        """What `read` makes of the exam, or of the first after it that it can read.

        A ValueError if more had to be passed over than the data set may have.
        """
        passed: list[Broken] = []
        for candidate in self._from(index):
            try:
                return read(candidate), passed
            except BrokenRecord as error:
                passed.append(Broken(self.source.name(candidate), str(error)))
                check_share(passed, len(self.source), self.share)
        raise ValueError(f"no exam of the site of {self.source.name(index)} can be read.")

    def _from(self, index: int) -> Iterable[int]:
        site = self.source.site(index)
        low, at, high = (bisect.bisect_left(self.usable, i) for i in (site.start, index, site.stop))
        yield from (self.usable[i] for i in (*range(at, high), *range(low, at)))


@dataclasses.dataclass(frozen=True)
class Replacing(grain.transforms.RandomMap):
    """Reads an exam, or the one that takes its place; `broken` says which were passed over."""

    read: Any  # a RandomMap: index -> record
    replacement: Replacement

    def random_map(self, element: int, rng: np.random.Generator) -> dict[str, Any]:
        """Index -> record."""
        record, passed = self.replacement.first(element, lambda i: self.read.random_map(i, rng))
        return record | {"broken": passed}
