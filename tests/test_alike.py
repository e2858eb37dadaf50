"""Near-duplicates stand together; a word that turns the meaning keeps them apart."""

import csv

import pytest

from cmr_jax.data.source import ExamSource
from cmr_jax.data.texts import group_of
from cmr_jax.wording import alike
from tests.conftest import run

FIRST = [
    "Normal left ventricular size and systolic function, LVEF 62%.",
    "There is no late gadolinium enhancement of the left ventricle.",
    "The left atrium is mildly enlarged, and so is the aortic root.",
    "The right ventricle is dilated; the descending aorta is normal. There is a thrombus.",
]
SAME = [
    FIRST,
    FIRST[::-1],
    [s.upper() for s in FIRST],
    [f"{n}. {s}" for n, s in enumerate(FIRST, 1)],
    [
        s.replace("left ventricular", "LV").replace("late gadolinium enhancement", "LGE")
        for s in FIRST
    ],
    [s.replace("62", "59") for s in FIRST],
    [s.replace("and so is", "and so also is") for s in FIRST],
]
OTHER = {
    "denied no more": ("There is no late", "There is late"),
    "another chamber": ("The left atrium", "The right atrium"),
    "another degree": ("mildly", "severely"),
    "far another number": ("62", "51"),
    "no number": (", LVEF 62%", ""),
    "denied, and no rule reads it": ("There is a thrombus", "There is no thrombus"),
    "another thing": ("aortic root", "pulmonary trunk"),
    "doubted": ("There is no late", "There is possibly no late"),
    "doubted, and no rule reads it": ("There is a thrombus", "There is possibly a thrombus"),
    "of the same words": (
        "right ventricle is dilated; the descending aorta is normal",
        "descending aorta is dilated; the right ventricle is normal",
    ),
    "much said besides": (
        "and so is the aortic root",
        "and so is the aortic root, as on the examination which was done elsewhere two weeks ago by "
        "another house of the same town",
    ),
}


@pytest.mark.parametrize("other", SAME[1:])
def test_nearly_the_same_words_stand_together(other):
    assert alike.groups([FIRST, other]) == [0, 0]


@pytest.mark.parametrize("change", OTHER)
def test_what_turns_the_meaning_parts(change):
    other = [s.replace(*OTHER[change]) for s in FIRST]
    assert other != FIRST
    assert alike.groups([FIRST, other, FIRST]) == [0, 1, 0]


def test_all_of_a_group_are_alike_to_the_most_frequent():
    ladder = [[FIRST[0].replace("62", str(ef)), *FIRST[1:]] for ef in (50, 54, 59, 64)]
    assert alike.groups(ladder) == [0, 0, 1, 1]
    assert alike.groups([*ladder, ladder[2]]) == [0, 1, 1, 1, 1]


def test_shares_of_words_are_what_is_asked():
    pair = [["a b c d"], ["a b c e"]]
    assert alike.groups(pair, least=0.75) == [0, 0]
    assert alike.groups(pair, least=0.76) == [0, 1]
    assert alike.groups([], least=0.5) == []
    assert alike.groups([["55."], ["57."]]) == [0, 0]


def test_words_of_any_script_count():
    assert alike.groups([["左心室扩大。"], ["左心室正常。"], ["左心室扩大。"]]) == [0, 1, 0]
    assert alike.groups([["Левый желудочек расширен."], ["Перикард без выпота."]]) == [0, 1]


def test_the_command_writes_what_training_reads(tiny, tmp_path):
    out = tmp_path / "new" / "alike.csv"
    told = run("cmr_jax.alike", f"--data={tiny}", f"--out={out}").stdout
    with out.open() as file:
        group = {row["exam_id"]: row["group"] for row in csv.DictReader(file)}
    source = ExamSource(str(tiny), "train")
    exams = [e for i in range(len(source)) if (e := source[i]).impression]
    assert set(group) == {e.exam_id for e in exams}
    assert f"{len(exams)} impressions in {len(set(group.values()))} groups" in told
    by_text: dict[int, set[str]] = {}
    for exam in exams:
        by_text.setdefault(group_of(exam.impression), set()).add(group[exam.exam_id])
        assert exam.impression not in told
    assert all(len(groups) == 1 for groups in by_text.values())  # nothing equal is parted
    failed = run("cmr_jax.alike", "--data=/nowhere", f"--out={out}", check=False)
    assert failed.returncode == 2
    assert "holds no prepared data" in failed.stderr
