"""Which exams' impressions say the same in nearly the same words: a file for `data.groups`.

    python -m cmr_jax.alike --data=runs/data --out=runs/data/alike.csv
    python -m cmr_jax.train ... --config.data.groups=runs/data/alike.csv

Two impressions stand in one group where rules read the same findings in both, every word that may turn
the meaning (no, left, severe, apical) is in both, numbers differ by at most a tenth, and of all
words of both at least --least are shared.  Nothing is printed of what they say.
"""

import collections
import csv
import pathlib
from collections.abc import Iterator

from absl import app, flags

from cmr_jax import cli
from cmr_jax.wording import alike

_DATA = flags.DEFINE_string(
    "data", None, "Prepared data; its training exams are read.", required=True
)
_OUT = flags.DEFINE_string("out", None, "The CSV to write: exam_id,group.", required=True)
_LEAST = flags.DEFINE_float(
    "least", alike.LEAST, "Words of both, of all words.", lower_bound=0.0, upper_bound=1.0
)


def main(argv: list[str]) -> None:
    """Command line."""
    with cli.command("cmr_jax.alike", argv):
        from cmr_jax.data.texts import group_of

        exams = list(_exams(str(_DATA.value)))
        # What training takes for the same words anyway must not be parted.
        sentences: dict[int, tuple[str, ...]] = {}
        texts = [sentences.setdefault(group_of(e.impression), e.sentences) for e in exams]
        groups = alike.groups(texts, _LEAST.value)
        _write(pathlib.Path(str(_OUT.value)), [e.exam_id for e in exams], groups)
        sizes = collections.Counter(groups).values()
        several = sum(size for size in sizes if size > 1)
        print(
            f"{len(exams)} impressions in {len(sizes)} groups; {several} stand with others, "
            f"{max(sizes, default=0)} in the largest group"
        )


def _exams(path: str) -> Iterator:
    """Those that can be read and have an impression."""
    from cmr_jax.data.broken import BrokenRecord
    from cmr_jax.data.source import ExamSource

    source = ExamSource(path, "train")
    for i in range(len(source)):
        try:
            exam = source[i]
        except BrokenRecord as broken:
            print(f"left out: {broken}")
            continue
        if exam.impression:
            yield exam


def _write(out: pathlib.Path, exam_ids: list[str], groups: list[int]) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["exam_id", "group"])
        writer.writerows(zip(exam_ids, groups, strict=True))


if __name__ == "__main__":
    app.run(main)
