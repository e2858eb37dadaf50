"""How well exams in three vendors' habits are understood: `python -m tests.habits_score`.

300 exams of the phantom with stacks missing, repeated, split, interleaved and mislabelled,
descriptions blank, hostile or in five languages, against what was really scanned; then the same
without any description, by planes and physics alone.  Headers only.
"""

import argparse
import dataclasses
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable

from cmr_jax.schema import Sequence, View
from data_prep.exam.plan import Choice, ExamPlan, PlannedStack, plan_exam
from data_prep.phantom.objects import Answer
from data_prep.phantom.protocol import profile
from data_prep.phantom.study import Study
from data_prep.read import instance
from data_prep.read.head import Head
from data_prep.read.instance import Instance

WORDS = ("SeriesDescription", "ProtocolName")
NO_VIEWS = (Sequence.LOCALIZER, Sequence.DERIVED)
EVERYTHING = Choice(frozenset(Sequence))


@dataclasses.dataclass
class Score:
    """Stacks by what their description was worth, and frames out of order."""

    right: Counter = dataclasses.field(default_factory=Counter)  # by kind of description
    open: Counter = dataclasses.field(default_factory=Counter)  # OTHER where it is something
    wrong: Counter = dataclasses.field(default_factory=Counter)  # taken for something else
    out_of_order: int = 0  # slices or phases
    mixed: int = 0  # stacks with frames of several scans
    in_parts: int = 0  # scans that came out as several stacks
    lost: int = 0  # frames of kept repeats that are in no stack

    def share(self, kinds: Iterable[str]) -> float:
        """Stacks that were right, among those whose description was of these kinds."""
        right = sum(self.right[k] for k in kinds)
        return right / (right + sum(self.open[k] + self.wrong[k] for k in kinds))


def plan_of(study: Study, words: bool) -> ExamPlan:
    """One exam as the preparation plans it."""
    read = [one for file in study.files(pixels=False) for one in instance.read(Head(*file))]
    frames = [i for i in read if isinstance(i, Instance)]
    if not words:
        blank = [{k: v for k, v in i.text.items() if k not in WORDS} for i in frames]
        frames = [dataclasses.replace(i, text=t) for i, t in zip(frames, blank, strict=True)]
    plan = plan_exam("study", frames, EVERYTHING)
    assert isinstance(plan, ExamPlan)
    return plan


def score(indices: Iterable[int], words: bool) -> Score:
    """Plans exams of the habits profile and compares."""
    total = Score()
    for index in indices:
        study = Study(profile("habits"), index)
        answers = {(a.file, a.frame): a for a in study.answers()}
        parts: dict[int, int] = defaultdict(int)
        for stack in plan_of(study, words).stacks:
            found = [[answers[f.where, f.frame] for f in s.frames] for s in stack.raw.slices]
            _judge(total, stack, found, words)
            parts[found[0][0].stack] += 1
        total.in_parts += sum(count > 1 for count in parts.values())
    return total


def _judge(total: Score, stack: PlannedStack, found: list[list[Answer]], words: bool) -> None:
    answers = [a for one in found for a in one]
    true = answers[0]
    total.mixed += len({a.stack for a in answers}) > 1
    kind = _kind(true) if words else "none"
    view_right = stack.view is true.view or true.sequence in NO_VIEWS
    if view_right and stack.sequence is true.sequence:
        total.right[kind] += 1
    elif (view_right or stack.view is View.OTHER) and (
        stack.sequence in (true.sequence, Sequence.OTHER)
    ):
        total.open[kind] += 1
    else:
        total.wrong[kind] += 1
    if true.sequence is not Sequence.LOCALIZER:  # whose planes have no apex
        slices = [one[0].slice_from_apex for one in found]
        total.out_of_order += slices != sorted(slices)
    for one in found:
        phases = [a.phase for a in one]
        total.out_of_order += phases != sorted(set(phases))
        total.out_of_order += len({a.slice_from_apex for a in one}) > 1


def _kind(answer: Answer) -> str:
    if answer.mislabelled:
        return "mislabelled"
    return answer.language if answer.language in ("blank", "hostile") else "named"


def report(found: Score) -> str:
    """The score in words."""
    lines = []
    for kind in sorted(found.right | found.open | found.wrong):
        total = found.right[kind] + found.open[kind] + found.wrong[kind]
        lines.append(
            f"{kind:12} {found.right[kind]:5} of {total:5} right ({found.share([kind]):7.2%}), "
            f"{found.open[kind]} left open, {found.wrong[kind]} wrong"
        )
    lines.append(
        f"{found.out_of_order} slices or phases out of order, {found.mixed} stacks mixed, "
        f"{found.in_parts} scans in several parts"
    )
    return "\n".join(lines)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser("python -m tests.habits_score", description=__doc__)
    parser.add_argument("--exams", type=int, default=profile("habits").exams)
    args = parser.parse_args()
    for words in (True, False):
        print("with descriptions" if words else "without descriptions")
        print(report(score(range(args.exams), words)))


if __name__ == "__main__":
    sys.exit(main())
