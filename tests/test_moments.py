"""Moments of the cycle: end-systole is never missed, wherever a heart rate puts it."""

import dataclasses

import numpy as np
import pytest

from cmr_jax.config import Clip, Moments
from cmr_jax.data import moments
from cmr_jax.data.source import ExamSource
from cmr_jax.schema import Sequence

SYSTOLE = Clip(phases=4, moments=Moments.SYSTOLE)


@pytest.fixture(scope="module")
def stack(tiny):
    exam = ExamSource(str(tiny), "train")[0]
    return next(s for s in exam.stacks if s.sequence is Sequence.CINE)


def cycle(stack, phases: int, beats: float):
    """A slice of so many phases at a heart rate."""
    at = (tuple(i / phases for i in range(phases)),)
    return dataclasses.replace(stack, phases=at, rr_ms=60_000 / beats)


@pytest.mark.parametrize(("beats", "share"), [(60, 0.36), (75, 0.41), (90, 0.45)])
def test_systole_takes_more_of_a_short_cycle(beats, share):
    """As tabulated for the rates at rest (Boudoulas 1981)."""
    assert moments.end_systole(60_000 / beats) == pytest.approx(share, abs=0.01)


def test_without_a_rate_it_is_where_it_usually_is():
    for unknown in (0.0, float("nan"), float("inf"), -5.0):
        assert moments.end_systole(unknown) == moments.USUAL
    assert moments.LEAST <= moments.end_systole(200.0) <= moments.MOST


@pytest.mark.parametrize("beats", [50, 72, 100])
@pytest.mark.parametrize("phases", [8, 25, 40])
def test_both_ends_are_among_the_moments_in_training_too(stack, phases, beats):
    own = cycle(stack, phases, beats)
    end = round(moments.end_systole(own.rr_ms) * phases) % phases
    rng = np.random.default_rng(0)
    seen = set()
    for chance in (None, *[rng] * 30):
        at = moments.chosen(SYSTOLE, own, 0, phases, chance)
        assert len(at) == 4
        assert at[0] == 0
        assert end in at
        seen.add(tuple(at))
    assert len(seen) > 1


def test_even_moments_miss_it(stack):
    own = cycle(stack, 25, 72)
    end = round(moments.end_systole(own.rr_ms) * 25)
    even = dataclasses.replace(SYSTOLE, moments=Moments.EVEN)
    assert end not in moments.chosen(even, own, 0, 25, None)


def test_few_phases_are_all_taken(stack):
    own = cycle(stack, 2, 72)
    assert moments.chosen(SYSTOLE, own, 0, 2, None).tolist() == [0, 1]


def test_the_cycle_is_a_loop(stack):
    own = dataclasses.replace(stack, phases=((0.1, 0.35, 0.6, 0.85, 0.97),), rr_ms=800.0)
    assert moments.chosen(SYSTOLE, own, 0, 5, None)[0] == 4  # 0.97 is nearer to 0 than 0.1 is
