"""Killed anywhere, a run ends in the bits of one that nobody touched.  The long form: tests/faults.py."""

from collections import Counter

from tests import faults
from tests.conftest import CACHE

KILLS = {0: 4, 1: 3, 2: 3}  # by seed


def test_a_run_killed_ten_times_ends_like_one_left_alone(tiny, tmp_path):
    hits: Counter = Counter()
    for seed, kills in KILLS.items():
        hits += faults.trial(str(tiny), tmp_path, seed, kills, CACHE.name)
    assert sum(hits.values()) - hits["too late"] >= 8, hits  # they hit while it ran
    assert any("save" in where for where in hits), hits
    assert any("look" in where for where in hits), hits
