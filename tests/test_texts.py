"""Texts of an exam in training: less of it, another's words for it, and what it does not say."""

import collections
import dataclasses

import numpy as np
import pytest

from cmr_jax.config import Positives
from cmr_jax.data import pipeline, published, recipes
from cmr_jax.data.source import Exam, ExamSource
from cmr_jax.data.targets import AddSaid
from cmr_jax.data.texts import ChooseTexts, Opposites, group_of
from cmr_jax.tokenizer import Tokenizer
from cmr_jax.wording import findings, numbers

LINES = ("Dilated LV.", "LVEF 30%.", "No LGE.", "Small hiatal hernia.")


class Words(Tokenizer):
    """Stands in for a tokenizer: remembers what it was given."""

    def __init__(self):
        self.texts: list[str] = []

    def encode(self, texts, length):
        self.texts = list(texts)
        return np.zeros((len(texts), length), np.int32), np.zeros((len(texts), length), bool)


def exam(*sentences: str) -> Exam:
    whole = " ".join(sentences)
    return Exam("e", "p", "s", "v", 1.5, "F", "40-49", whole, tuple(sentences), ())


def chosen(count: int = 200, lines=LINES, **how) -> list[tuple[list[str], dict]]:
    """Texts and records of many draws."""
    words = Words()
    choose = ChooseTexts(words, 4, how.pop("texts", 1), **{"shuffle": False} | how)
    rng = np.random.default_rng(0)
    return [
        (words.texts, record)
        for _ in range(count)
        if (record := choose.random_map({"exam": exam(*lines)}, rng))
    ]


def test_dropped_sentences_leave_some_in_their_order():
    seen = collections.Counter(texts[0] for texts, _ in chosen(drop=0.5))
    lengths = collections.Counter()
    for text, times in seen.items():
        kept = [line for line in LINES if line in text]
        assert text == " ".join(kept)
        assert kept
        lengths[len(kept)] += times
    assert set(lengths) == {1, 2, 3, 4}
    assert 400 < sum(n * times for n, times in lengths.items()) < 600
    assert all(texts[0] == " ".join(LINES) for texts, _ in chosen(5, drop=0.0))


def test_what_an_exam_says_is_the_whole_and_what_a_text_says_its_own():
    everything = findings.bits(findings.said_by_all(LINES))
    for texts, record in chosen(texts=3, drop=0.5, says=True):
        assert record["exam_says"] == everything
        for text, told in zip(texts, record["says"], strict=True):
            lines = [line for line in LINES if line in text]
            assert told == findings.bits(findings.said_by_all(lines))
            assert told & ~everything == 0


OTHERS = [exam("LV is normal in size.", "Patchy LGE."), exam("Preserved LVEF.", "Normal LV size.")]


def test_an_untrue_text_is_the_impression_but_for_one_sentence():
    opposites = Opposites.of(OTHERS)
    replaced = collections.Counter()
    for texts, record in chosen(opposites=opposites, says=True):
        whole, untrue = texts
        assert whole == " ".join(LINES)
        assert record["untrue"].tolist() == [False, True]
        (new,) = [s for o in OTHERS for s in o.sentences if s in untrue]
        (old,) = [line for line in LINES if line not in untrue]
        assert untrue == whole.replace(old, new)
        before, after = findings.said(old), findings.said(new)
        assert any(after.get(name) is (not there) for name, there in before.items())
        replaced[old, new] += 1
    assert set(replaced) == {
        ("Dilated LV.", "LV is normal in size."),
        ("Dilated LV.", "Normal LV size."),
        ("LVEF 30%.", "Preserved LVEF."),
        ("No LGE.", "Patchy LGE."),
    }


def test_who_says_nothing_has_no_opposite():
    for texts, record in chosen(5, lines=("See body of report.",), opposites=Opposites.of(OTHERS)):
        assert texts[1] == ""
        assert record["report_group"][1] == -1


def test_batches_bring_what_texts_say(tiny, smoke):
    smoke.positives, smoke.data.untrue_text = Positives.SAID, True
    smoke.model.outputs, smoke.model.numbers = ("lge", "hcm"), ("lv_ef_percent",)
    batches = pipeline.TrainBatches(smoke, Tokenizer.load(tiny))
    loaded = next(batches)
    batch, example = loaded.batch, pipeline.example_batch(smoke, 8)
    batches.close()
    assert batch.untrue.tolist() == [[False, False, True]] * 8
    source = ExamSource(str(tiny), "train")
    of = {e.exam_id: e for e in (source[i] for i in range(len(source)))}
    for row, name in enumerate(loaded.exams):
        said = findings.said_by_all(of[name].sentences)
        assert batch.exam_says[row] == findings.bits(said)
        assert batch.says[row, 0] == batch.exam_says[row]
        if batch.report_group[row, 2] >= 0:
            assert batch.says[row, 2] & ~batch.exam_says[row] != 0
        value = batch.targets["lge"][row]
        assert np.isnan(value) if "lge" not in said else value == said["lge"]
        stated = numbers.stated(of[name].sentences)
        known = "lv_ef_percent" in stated
        assert np.isnan(batch.targets["lv_ef_percent"][row]) != known
    for name in batch._fields:
        own, like = getattr(batch, name), getattr(example, name)
        if name not in ("coordinates", "targets"):
            assert (own.shape, own.dtype) == (like.shape, like.dtype), name
    assert set(batch.targets) == set(example.targets)


def test_a_borrowed_report_brings_its_own_statements():
    """Else the control, reports permuted among exams, would learn from the right ones."""
    element = {"exam": exam("Patchy LGE.", "LVEF 30%."), "report": exam("No LGE.", "LVEF 66%.")}
    added = AddSaid(("lge", "hcm"), ("lv_ef_percent",)).map(element)["targets"]
    assert added["lge"] == 0
    assert np.isnan(added["hcm"])
    assert added["lv_ef_percent"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("findings_", "numbers_", "says"),
    [
        (("lge", "stroke"), (), "model.outputs has stroke.*lv_dilation"),
        ((), ("bmi",), "model.numbers has bmi.*lv_ef_percent"),
    ],
)
def test_a_head_for_what_no_rule_reads_is_refused(findings_, numbers_, says):
    with pytest.raises(ValueError, match=says):
        AddSaid(findings_, numbers_)


def test_fewer_exams_are_some_of_more(tiny, smoke):
    source = ExamSource(str(tiny), "train")
    kept = {}
    for most in (5, 12, 0):
        smoke.data.most_exams = most
        kept[most] = recipes.usable(source, smoke.data)
    assert [len(kept[n]) for n in (5, 12, 0)] == [5, 12, len(source)]
    assert set(kept[5]) < set(kept[12])
    assert list(kept[12]) == sorted(kept[12])
    smoke.data.most_exams, smoke.data.complete_only = 0, True
    whole = recipes.usable(source, smoke.data)
    lacking = set(range(len(source))) - set(whole)
    assert lacking
    assert not any(published.is_complete(source[i]) for i in lacking)
    smoke.data.most_exams = 12  # first so many, whatever they have
    assert recipes.usable(source, smoke.data) == [i for i in whole if i in set(kept[12])]


def test_other_words_leave_what_is_said_and_what_says_nothing():
    everything = findings.bits(findings.said_by_all(LINES))
    texts = set()
    for (whole, *_), record in chosen(rephrase=0.5, says=True, texts=2):
        assert record["says"][0] == record["exam_says"] == everything
        assert LINES[3] in whole  # it says nothing that could be said otherwise
        texts.add(whole)
    assert len(texts) > 50
    kept = [sum(line in text for text in texts) for line in LINES[:3]]
    assert all(0 < k < len(texts) for k in kept)
    ((first, *_), _), *_ = chosen(1, rephrase=0.0)
    assert first == " ".join(LINES)


def test_rephrased_reports_stay_positives_of_each_other():
    """Groups follow the report's wording, not the wording that was drawn."""
    plain = chosen(1)[0][1]["report_group"][0]
    for how in ({"rephrase": 1.0}, {"shuffle": True, "rephrase": 0.5}):
        draws = chosen(50, texts=3, **how)
        assert {int(record["report_group"][0]) for _, record in draws} == {plain}, how
        assert len({texts[0] for texts, _ in draws}) > 1, how
        own = {group_of(line) for line in LINES}
        assert {int(g) for _, record in draws for g in record["report_group"][1:]} <= own


def test_equal_remainders_of_reports_are_equal():
    """Two reports that are cut down to the same words are in one group."""
    groups = {
        int(record["report_group"][0])
        for lines in (LINES, (*LINES[:2], "Dilated RV."))
        for texts, record in chosen(300, lines=lines, drop=0.5, rephrase=0.5)
        if record["report_group"][0] == group_of(" ".join(LINES[:2]))
    }
    assert groups == {group_of(" ".join(LINES[:2]))}
    for texts, record in chosen(50, drop=0.5):
        assert record["report_group"][0] == group_of(texts[0])


def test_given_groups_hold_for_rephrased_reports():
    own = group_of(" ".join(LINES))
    draws = chosen(20, rephrase=0.7, groups={own: 7})
    assert {int(record["report_group"][0]) for _, record in draws} == {7}


def test_training_and_evaluation_read_one_form_of_an_impression():
    numbered = dataclasses.replace(exam(*LINES), impression="1. " + "\n2. ".join(LINES))
    words = Words()
    read = set()
    for shuffle in (False, True):
        ChooseTexts(words, 4, 1, shuffle).random_map({"exam": numbered}, np.random.default_rng(0))
        read.add(frozenset(words.texts[0].split()))
    assert read == {frozenset(numbered.text.split())}
    assert numbered.text == " ".join(LINES)
