"""Each model gets the verdict that it deserves: the oracle, the one that knows nothing, the one that
collapsed, the one that leaks."""

import numpy as np
import pytest

from cmr_jax.evals import controls, verdict
from cmr_jax.evals.questions import Question
from cmr_jax.evals.study import Study, alike
from cmr_jax.evals.trust import shift
from cmr_jax.evals.verdict import Level
from cmr_jax.evals.zero_shot import Asked
from tests import cohorts

N, FINDINGS = 160, ("a", "b", "c")
QUESTIONS = {f: Question((f"{f} is there",), (f"no {f}",)) for f in FINDINGS}


@pytest.fixture(scope="module")
def truth():
    rng = np.random.default_rng(0)
    return {f: (rng.random(N) < 0.4).astype(float) for f in FINDINGS}


def asked(texts):
    """An axis for each finding; the other way is its absence."""
    axes = np.eye(len(FINDINGS) + 40)[: len(FINDINGS)]
    rows = {f: axes[i] for i, f in enumerate(FINDINGS)}
    return np.stack([-rows[t[3:]] if t.startswith("no ") else rows[t[0]] for t in texts])


def known(truth):
    """What labels say, +1 or -1, on the axes of the findings; (N, 43)."""
    signs = 2 * np.stack([truth[f] for f in FINDINGS], 1) - 1
    return np.pad(signs, ((0, 0), (0, 40)))


def judged(truth, video, text, exams=None, **block):
    study = Study.of(cohorts.cohort(truth, video, text, exams), Asked(QUESTIONS, asked))
    study.describe()
    study.retrieve()
    study.ask(Asked(QUESTIONS, asked))
    study.block |= block
    return study, verdict.judge(study.block)


def said(statements, level):
    return " ".join(s.text for s in statements if s.level is level)


def own(seed=1):
    """What tells each exam from all others."""
    return np.pad(np.random.default_rng(seed).normal(size=(N, 40)), ((0, 0), (3, 0)))


def test_an_oracle_is_praised_and_looked_at_twice(truth):
    heart = known(truth) + own()
    study, found = judged(truth, heart, heart)
    assert said(found, Level.BAD) == ""
    assert "more than readers agree on" in said(found, Level.DOUBT)
    good = said(found, Level.GOOD)
    assert "better than chance" in good
    assert "100% among the first ten" in good
    assert study.block["zero_shot"]["mean_auc"]["value"] == 1.0


def test_a_good_model_is_not_doubted(truth):
    rng = np.random.default_rng(2)
    heart = known(truth) + own()
    blurred = heart + rng.normal(scale=1.5, size=heart.shape)
    _, found = judged(truth, blurred, heart)
    assert [s.level for s in found] == [Level.GOOD] * 3


def test_a_model_that_knows_nothing_is_no_better_than_chance(truth):
    video, text = own(3), own(4)
    video[:, :3] = np.random.default_rng(5).normal(size=(N, 3))
    _, found = judged(truth, video, text)
    bad = said(found, Level.BAD)
    assert "Findings: a mean AUC of 0.4" in bad or "Findings: a mean AUC of 0.5" in bad
    assert said(found, Level.GOOD) == ""
    assert len(found) == 3


@pytest.mark.parametrize("wobble", [0.0, 1e-4])
def test_a_collapsed_model_is_called_that(truth, wobble):
    rng = np.random.default_rng(6)
    video = np.ones((N, 43)) + wobble * rng.normal(size=(N, 43))
    _, found = judged(truth, video, np.ones((N, 43)))
    assert found[0].level is Level.BAD
    assert "Collapsed: all exams have nearly the same embedding" in said(found, Level.BAD)
    assert said(found, Level.GOOD) == ""


def test_a_model_that_leaks_labels_knows_no_hearts(truth):
    """It was shown the labels: perfect on findings, and blind to what else is in a report."""
    labels = known(truth)
    labels[:, 3] = 0.1
    video = labels + 1e-3 * own(7)
    text = labels + own(8)
    study, found = judged(truth, video, text)
    assert study.block["zero_shot"]["mean_auc"]["value"] == 1.0
    assert "It may know labels rather than hearts" in said(found, Level.BAD)


def test_a_model_that_knows_who_was_scanned_is_found_out_by_headers(truth):
    """One vendor's scanner stands where the sick go."""
    rng = np.random.default_rng(9)

    def made(n):
        vendor = rng.random(n) < 0.5
        label = np.where(rng.random(n) < 0.9, vendor, ~vendor).astype(float)
        exams = [cohorts.exam(i, vendor="GE" if v else "Siemens") for i, v in enumerate(vendor)]
        video = np.stack([2.0 * vendor - 1, rng.normal(size=n)], 1)
        return cohorts.cohort({"a": label}, video, video, exams)

    class Blind:
        def batches(self, _):
            return []

        def videos(self, *_):
            return tested.video

    trained, tested = made(300), made(500)
    ask = Asked(
        {"a": Question(("yes",), ("no",))}, lambda t: np.array([[-1.0, 0], [1, 0]])[: len(t)]
    )
    study = Study.of(tested, ask)
    study.ask(ask)
    from cmr_jax.evals import baselines

    header = [baselines.header_features(c.exams) for c in (trained, tested)]
    by_header = baselines.supervised_scores(header[0], trained, header[1], ["a"])
    by_embedding = baselines.supervised_scores(trained.video, trained, tested.video, ["a"])
    behind = controls.ahead(by_embedding, by_header, tested.labels.findings, tested.resamples)
    block = study.block | {
        "n_patients": 120,
        "controls": {"header_metadata": {"behind_embedding_probe": behind}},
    }
    found = verdict.judge(block)
    assert study.block["zero_shot"]["mean_auc"]["value"] > 0.85
    assert "Headers alone" in said(found, Level.BAD)


def test_patients_on_both_sides_are_no_test(truth):
    _, found = judged(truth, own(), own(), patients_trained_on=3)
    assert found[0].text.startswith("3 of the patients were trained on")


def test_reports_of_others_that_teach_something_are_a_leak(truth):
    leak = {"mean_auc": {"value": 0.7, "low": 0.6, "high": 0.8}, "runs": 4}
    _, found = judged(truth, own(), own(), controls={"permuted_reports": leak})
    assert "the evaluation leaks" in said(found, Level.BAD)
    one = leak | {"runs": 1}  # its interval is over patients: the run itself may have been lucky
    _, found = judged(truth, own(), own(), controls={"permuted_reports": one})
    assert "leaks" not in said(found, Level.BAD)
    assert "may be luck" in said(found, Level.DOUBT)


def test_answers_that_break_their_promise_and_strange_exams_are_said(truth):
    heart = known(truth) + own()
    study, _ = judged(truth, heart, heart)
    kept = {"p_short_with": 0.04, "p_short_without": np.nan}  # one in six is as low as that
    for finding in "ac":
        study.block["zero_shot"]["findings"][finding]["abstention"] = kept
    broken = {"p_short_with": 0.4, "p_short_without": 1e-4}
    study.block["zero_shot"]["findings"]["b"]["abstention"] = broken
    rng = np.random.default_rng(0)
    near = shift.Nearness(rng.normal(size=(90, 43)), rng.normal(size=(60, 43)))
    study.block["shift"], _ = shift.evaluate(near, cohorts.cohort(video=heart + 9), None)
    study.block["shift"]["unusual"] = {"value": 0.4, "low": 0.3, "high": 0.5, "chance": 0.05}
    doubt = said(verdict.judge(study.block), Level.DOUBT)
    assert "calibrate on exams of this kind (those without b)." in doubt
    assert "40% of these exams are unlike" in doubt


def test_pictures_that_only_home_has_are_said_with_what_they_are_worth(truth):
    heart = known(truth) + own()
    study, _ = judged(truth, heart, heart)
    assert study.block["share_with"]["late enhancement"] == 0  # cines alone
    fall = {"mean_auc": {"value": 0.125, "low": 0.1, "high": 0.15}}
    home = {
        "share_with": {"late enhancement": 1.0, "2 chamber": 0.2, "short axis": 1.0},
        "without": {"late enhancement": fall},
    }
    doubt = said(verdict.judge(study.block, home), Level.DOUBT)
    assert (
        "no late enhancement, which most exams of home have. There, going without costs 0.12"
        in doubt
    )
    assert "2 chamber" not in doubt
    assert "short axis" not in doubt


def numbers(value, low, high, chance=0.5):
    return {"value": value, "low": low, "high": high, "chance": chance}


def test_what_is_not_known_is_neither_good_nor_bad():
    wide = {"zero_shot": {"mean_auc": numbers(0.75, 0.49, 0.9)}, "n_patients": 20}
    (found,) = verdict.judge(wide)
    assert found == (
        Level.DOUBT,
        "Findings: a mean AUC of 0.75, not shown to be better than chance with 20 patients.",
    )
    behind = {"header_metadata": {"behind_embedding_probe": numbers(0.2, -0.01, 0.4)}}
    (found,) = verdict.judge({"controls": behind, "n_patients": 20})
    assert found.level is Level.DOUBT
    assert "not shown that embeddings tell more" in found.text


@pytest.mark.parametrize(("n", "level"), [(2, Level.DOUBT), (12, Level.GOOD), (30, Level.GOOD)])
def test_of_few_exams_perfect_retrieval_is_no_failure(n, level):
    video = np.eye(n)
    study = Study.of(cohorts.cohort(video=video, text=video), Asked(QUESTIONS, asked_few(n)))
    study.describe()
    study.retrieve()
    assert {s.level for s in verdict.judge(study.block)} == {level}


def asked_few(n):
    return lambda texts: np.ones((len(texts), n))


def test_many_exams_of_one_patient_are_one_patient(truth):
    label = (np.arange(60) < 10).astype(float)
    exams = [cohorts.exam(i, patient_id="same" if i < 10 else f"p{i}") for i in range(60)]
    ask = Asked({"a": Question(("yes",))}, lambda t: np.array([[1.0, 0]]))
    study = Study.of(
        cohorts.cohort({"a": label}, np.stack([label, 1 - label], 1), exams=exams), ask
    )
    study.ask(ask)
    assert study.block["zero_shot"] == {"findings": {}, "left_out": {"a": 10}}


def test_reports_that_all_say_the_same_are_no_collapse(truth):
    text = np.ones((N, 43))
    _, found = judged(truth, known(truth) + own(), text)  # every exam of `cohorts` reads alike
    assert "Collapsed: all reports" not in said(found, Level.BAD)


def test_a_split_that_chose_the_checkpoint_is_doubted():
    text = said(verdict.judge({"split": "val", "n_patients": 9}), Level.DOUBT)
    assert "may have been chosen by these very exams" in text
    assert verdict.judge({"split": "val", "n_patients": 9}, home={}) == []


def test_exams_that_nobody_labelled_are_not_known_to_be_alike():
    label = np.array([1.0, 0, 1, np.nan, np.nan])
    exams = [cohorts.exam(i, f"Report {i // 2}.") for i in range(5)]
    groups = alike(exams, cohorts.cohort({"f": label}, exams=exams).labels)
    same = groups["same_labels"]
    assert same[0] == same[2]
    assert len(set(same.tolist())) == 4
    assert len(set(groups["same_words"].tolist())) == 3
