"""Exams of the phantom, never written to disk."""

import dataclasses
from collections.abc import Iterable, Iterator

from data_prep.phantom.protocol import profile
from data_prep.phantom.study import Study
from data_prep.read.head import Head
from data_prep.read.reject import Reject


@dataclasses.dataclass(frozen=True)
class PhantomSource:
    """Exams of a phantom profile, straight from memory."""

    spec: str

    def units(self) -> list[str]:
        """One unit per exam."""
        return [f"{index:06d}" for index in range(profile(self.spec).exams)]

    def heads(self, unit: str) -> Iterator[Head | Reject]:
        """Headers alone: nothing is rendered."""
        for name, head, size in Study(profile(self.spec), int(unit)).files(pixels=False):
            yield Head(f"{unit}/{name}", head, size)

    def load(self, wheres: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Renders the exams that the wanted files belong to."""
        wanted = set(wheres)
        for unit in sorted({where.split("/")[0] for where in wanted}):
            for name, data, _ in Study(profile(self.spec), int(unit)).files():
                if f"{unit}/{name}" in wanted:
                    yield f"{unit}/{name}", data
