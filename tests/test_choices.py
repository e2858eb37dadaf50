"""What the command line of the preparation chooses: sequences, words, workers."""

import pytest
from apache_beam.options.pipeline_options import DirectOptions

from cmr_jax.schema import Sequence, View
from data_prep.build import main, parse, prepare
from data_prep.classify import lexicon
from data_prep.engine import Engines
from data_prep.exam.plan import Choice, ExamPlan, plan_exam
from data_prep.phantom.protocol import profile
from data_prep.phantom.study import Study
from data_prep.read import instance
from data_prep.read.head import Head
from data_prep.read.instance import Instance
from data_prep.read.reject import Why


def frames_of(name: str, index: int) -> list[Instance]:
    files = Study(profile(name), index).files(pixels=False)
    read = [one for f in files for one in instance.read(Head(*f))]
    return [i for i in read if isinstance(i, Instance)]


def sequences(plan) -> set[Sequence]:
    assert isinstance(plan, ExamPlan)
    return {s.sequence for s in plan.stacks}


def test_all_clinical_sequences_are_kept_and_nothing_else():
    study, every = frames_of("habits", 3), frozenset(Sequence)
    found = sequences(plan_exam("x", study, Choice(every)))
    assert found > {Sequence.LOCALIZER, Sequence.DERIVED}
    plan = plan_exam("x", study)
    assert sequences(plan) == found - {Sequence.LOCALIZER, Sequence.DERIVED}
    assert isinstance(plan, ExamPlan)
    left = sum(r.count for r in plan.rejects if r.why is Why.NOT_KEPT)
    whole = plan_exam("x", study, Choice(every))
    assert isinstance(whole, ExamPlan)
    assert left == whole.frame_count - plan.frame_count > 0


def test_an_exam_without_a_wanted_sequence_is_counted_whole():
    frames = frames_of("tiny", 0)
    rejects = plan_exam("x", frames, Choice(frozenset([Sequence.FLOW])))
    assert isinstance(rejects, list)
    assert [r.why for r in rejects] == [Why.NOT_KEPT] * len(frames)


def arguments(tmp_path, *more: str):
    base = ["--dicom", "phantom:tiny:exams=2", "--site", "s", "--out", str(tmp_path / "out")]
    return parse([*base, *more])[0]


def test_keep_takes_names_and_says_which_it_knows(tmp_path):
    assert prepare(arguments(tmp_path, "--keep", "cine,lge_mag")).choice.keep == {
        Sequence.CINE,
        Sequence.LGE_MAG,
    }
    assert prepare(arguments(tmp_path, "--keep", "all")).choice.keep == frozenset(Sequence)
    with pytest.raises(ValueError, match=r"'ECHO' is none of clinical, all, OTHER, CINE"):
        prepare(arguments(tmp_path, "--keep", "cine,echo"))


def test_a_sites_own_words_are_used(tmp_path):
    words = tmp_path / "words.tsv"
    words.write_text("view\tCH4\t1\tfrontblick\tFrontblick\nsequence\tTAGGING\t1\tcine\tCine\n")
    choice = prepare(arguments(tmp_path, "--lexicon", str(words))).choice
    assert choice.words is not None
    assert choice.words.read("Frontblick trufi").view is View.CH4
    assert lexicon.built_in().read("Frontblick trufi").view is None
    frames = frames_of("tiny", 0)
    assert Sequence.TAGGING not in sequences(plan_exam("x", frames))
    assert Sequence.TAGGING in sequences(plan_exam("x", frames, choice))


def test_a_worker_is_started_where_it_is_worth_it(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 4)

    def workers(engines: Engines, jobs: int) -> int:
        options, _ = engines.for_jobs(jobs, worth_a_worker=10)
        return options.view_as(DirectOptions).direct_num_workers

    most = Engines(0, ())
    assert [workers(most, jobs) for jobs in (1, 9, 10, 25, 1000)] == [1, 1, 2, 3, 4]
    assert workers(Engines(2, ()), 1) == 2
    assert Engines(0, ("--runner=FlinkRunner",)).for_jobs(5, 10)[1] == "FlinkRunner"


def test_a_wrong_argument_is_one_line(capsys):
    assert main(["--dicom", "nowhere", "--site", "s", "--out", "x", "--keep-unpaired"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("data_prep.build: --dicom nowhere: no such folder or archive.")
    assert said.count("\n") == 1
