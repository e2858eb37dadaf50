"""Three vendors' habits are understood: a first part of `python -m tests.habits_score`."""

import pytest

from tests.habits_score import Score, score

EXAMS = range(0, 300, 7)


@pytest.fixture(scope="module", params=[True, False], ids=["words", "no words"])
def found(request) -> tuple[bool, Score]:
    return request.param, score(EXAMS, words=request.param)


def test_views_and_sequences_are_found(found):
    words, total = found
    if words:
        assert total.share(["named", "blank"]) >= 0.99
    else:
        assert total.share(["none"]) >= 0.97
    assert total.wrong.total() <= 0.005 * (total.right + total.open + total.wrong).total()


def test_every_slice_and_phase_has_its_place(found):
    _, total = found
    assert total.out_of_order == 0
    assert total.mixed == 0
    assert total.in_parts <= 2
