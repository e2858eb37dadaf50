"""Random hearts as a Grain data set: exams without end, made as they are needed."""

from collections.abc import Iterator

import grain

from cmr_jax.phantom import PhantomExam, Source, Variant

MANY = 10**9  # anatomies; no run comes to the end of them


class Anatomies:
    """Random access to anatomies, each with its exams: so that workers never paint one twice."""

    def __init__(self, seed: int, variant: Variant):
        self._seed, self._variant = seed, variant

    def __len__(self) -> int:
        return MANY

    def __getitem__(self, index: int) -> list[PhantomExam]:
        source, pictures = Source(self._seed, self._variant), self._variant.pictures
        return [source[pictures * index + i] for i in range(pictures)]


def exams(seed: int, variant: Variant, workers: int = 0) -> Iterator[PhantomExam]:
    """The exams of `Source(seed, variant)` in order, made by so many processes (0: by this one)."""
    plan = grain.MapDataset.source(Anatomies(seed, variant)).to_iter_dataset(
        grain.ReadOptions(num_threads=0)
    )
    if workers:
        plan = plan.mp_prefetch(grain.MultiprocessingOptions(num_workers=workers))
    for anatomy in plan:
        yield from anatomy
