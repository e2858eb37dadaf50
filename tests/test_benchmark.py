"""The fixed benchmark is the one it has always been, and is what it says."""

import collections

import numpy as np
import pytest

from data_prep.phantom import __main__ as phantom
from data_prep.phantom import benchmark, report
from data_prep.phantom.protocol import PHILIPS, PROFILES, profile
from data_prep.phantom.study import Study

SOME = range(0, 240)


@pytest.fixture(scope="module")
def studies() -> list[Study]:
    return [Study(profile("v1"), index) for index in SOME]


@pytest.mark.parametrize(("name", "first"), [("v1", 2000), ("v1-elsewhere", 380)])
def test_exams_are_made_anew_as_they_were(name, first):
    """Reports, truth and headers; the last bit of a pixel is a processor's own."""
    made = benchmark.fingerprint(name, first)
    (kept,) = [f for f in benchmark.fingerprints("v1") if f[:2] == (name, first)]
    assert made.words == kept.words


def test_every_exam_has_its_fingerprint():
    kept = benchmark.fingerprints("v1")
    for name in benchmark.BENCHMARKS["v1"]:
        blocks = [f.first for f in kept if f.profile == name]
        assert blocks == list(range(0, PROFILES[name].exams, benchmark.BLOCK))
    assert len({f.words for f in kept}) == len({f.pictures for f in kept}) == len(kept)


def test_a_change_is_told_of():
    one = benchmark.Fingerprint("v1", 40, "a", "b")
    assert benchmark.difference(one, one) == ""
    assert "exams 40 to 59: reports" in benchmark.difference(one, one._replace(words="c"))
    assert "last bit" in benchmark.difference(one, one._replace(pictures="c"))


def test_the_check_counts_what_differs(monkeypatch, capsys):
    kept = benchmark.fingerprints("v1")
    monkeypatch.setattr(benchmark, "described", lambda name: name)
    monkeypatch.setattr(benchmark, "made_anew", lambda name: iter(kept))
    assert phantom.main(["--benchmark", "v1"]) == 0
    changed = [kept[0]._replace(words="x"), *kept[1:]]
    monkeypatch.setattr(benchmark, "made_anew", lambda name: iter(changed))
    assert phantom.main(["--benchmark", "v1"]) == 1
    said = capsys.readouterr().out
    assert "165 of 165 blocks are the same" in said
    assert "164 of 165 blocks are the same" in said


def test_splits_are_by_number():
    splits = collections.Counter(map(PROFILES["v1"].split_of, range(2900)))
    assert splits == {"train": 2000, "val": 300, "test": 600}
    assert {PROFILES["v1-elsewhere"].split_of(i) for i in (0, 399)} == {"test"}
    assert profile("demo").split_of(3) == ""
    (row,) = phantom.label_rows(profile("v1:exams=1"))
    assert row["split"] == "train"
    (row,) = phantom.label_rows(profile("demo:exams=1"))
    assert "split" not in row


def test_two_exams_of_five_lack_something_and_all_have_a_cine(studies):
    views = [{(s.view, s.contrast.name == "CINE") for s in study.scans} for study in studies]
    whole = np.mean([len(v) == benchmark.STACKS for v in views])
    assert 0.5 < whole < 0.7
    assert all(any(cine for _, cine in v) for v in views)
    assert any(("SAX", True) not in v for v in views)
    without = [not study.has_contrast for study in studies]
    assert 0.08 < np.mean(without) < 0.22
    for study, bare in zip(studies, without, strict=True):
        late = any(s.contrast.name != "CINE" for s in study.scans)
        assert not (bare and late)


def test_of_what_was_not_given_reports_say_nothing(studies):
    words = ("enhancement", "lge", "scar", "fibrosis", "amyloid", "infarct")
    said = collections.Counter()
    for study in studies:
        text = " ".join(report.impression(study.subject, study.truth, study.has_contrast)).lower()
        assert text
        said[study.has_contrast, any(word in text for word in words)] += 1
        if not study.has_contrast:
            assert "Cardiac MRI without contrast" in study.report_text
    assert said[False, True] == 0
    assert said[True, True] > 100


def test_the_other_hospital_is_another(studies):
    there = [Study(profile("v1-elsewhere"), index) for index in range(40)]
    assert {s.vendor for s in there} == {PHILIPS}
    assert PHILIPS not in {s.vendor for s in studies}
    assert min(s.noise for t in there for s in t.scans if s.contrast.name == "CINE") > max(
        s.noise for t in studies for s in t.scans
    )
    assert not {s.identity.patient_id for s in studies} & {s.identity.patient_id for s in there}


def test_it_is_described():
    said = benchmark.described("v1-elsewhere")
    assert said.startswith("v1-elsewhere test: 400 patients, ")
    assert "%  lge" in said
