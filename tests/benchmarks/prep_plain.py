"""The build with its graphs run by plain loops instead of Beam: what Beam costs, and each step.

Takes the arguments of data_prep.build, does the same work, and prints the CPU seconds of every
step, and of the pages that show a sample of the exams, as a line of JSON.
"""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any
from unittest import mock

from prep_costs import PAGES

from data_prep import build
from data_prep.qc import people

seconds: dict[str, float] = defaultdict(float)


class Step:
    """Some transform of Beam's, on a list."""

    def __init__(self, work: Callable[[Iterable[Any]], Iterable[Any]], name: str = "other"):
        self.work, self.name = work, name

    def __rrshift__(self, name: str) -> "Step":
        return Step(self.work, name)


class Held:
    """A collection, or the pipeline before there is one."""

    def __init__(self, items: Iterable[Any] = ()):
        self.items = items

    def __or__(self, step: Step) -> "Held":
        began = time.process_time()
        made = list(step.work(self.items))
        seconds[step.name] += time.process_time() - began
        return Held(made)

    def __enter__(self) -> "Held":
        return self

    def __exit__(self, *_: object) -> None:
        """Every step is done as it is joined on."""


def grouped(items: Iterable[tuple[Any, Any]]) -> Iterable[tuple[Any, list[Any]]]:
    groups = defaultdict(list)
    for key, value in items:
        groups[key].append(value)
    return groups.items()


def bundle(do: Any, items: Iterable[Any]) -> Iterable[Any]:
    do.start_bundle()
    for item in items:
        yield from do.process(item)
    do.finish_bundle()


LOOPS = SimpleNamespace(
    Pipeline=lambda **_: Held(),
    Create=lambda items: Step(lambda _: items),
    Reshuffle=lambda: Step(lambda items: items),
    ParDo=lambda do: Step(lambda items: bundle(do, items)),
    Map=lambda do, *args: Step(lambda items: (do(x, *args) for x in items)),
    GroupByKey=lambda: Step(grouped),
)


def pages(*args: Any) -> None:
    """Writes them, and says how long it took."""
    _ = Held() | Step(lambda _: [write_pages(*args)], PAGES)


write_pages = people.write

if __name__ == "__main__":
    patches = (
        mock.patch("data_prep.pipeline.beam", LOOPS),
        mock.patch.object(people, "write", pages),
    )
    with patches[0], patches[1]:
        status = build.main(sys.argv[1:])
    print(json.dumps(seconds))
    sys.exit(status)
