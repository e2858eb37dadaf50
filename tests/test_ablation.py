"""Studies: arms are run once each, judged alike, and set side by side by numbers that are right."""

import json
import pathlib

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cmr_jax.ablation import runs, store, studies, table, told
from cmr_jax.ablation.compared import Exams, Measured
from cmr_jax.ablation.runs import Place
from cmr_jax.ablation.store import Scored
from cmr_jax.config.study import Arm, Curve, Study
from tests.conftest import ROOT, run

N = 120
SETS = ("val", "test", "elsewhere")
STUDY = Study(
    "made up",
    "nothing",
    (
        Arm("plain", "as it is", "c.py", seeds=2),
        Arm("better", "with more", "c.py", ("a.b=1",), seeds=2, beside="plain"),
        Arm("other", "without", "c.py", beside="plain"),
        Arm("never", "not run", "c.py", beside="plain"),
    ),
    headline=("better", "never"),
    curves=(Curve("mine", ((100, "plain"), (200, "better"), (300, "never"))),),
)


def made_exams() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    n = N * len(SETS)
    return {
        "data": np.repeat(SETS, N),
        "exam_id": np.array([f"e{i}" for i in range(n)]),
        "patient_id": np.array([f"p{i // 2}" for i in range(n)]),
        "complete": rng.random(n) < 0.6,
        "label_lge": (rng.random(n) < 0.4).astype(np.float32),
        "label_hcm": np.where(rng.random(n) < 0.1, np.nan, rng.random(n) < 0.3).astype(np.float32),
        "label_rare": (np.arange(n) % N < 4).astype(np.float32),
    }


def made_run(exams, noise: float, seed: int) -> Scored:
    rng = np.random.default_rng([seed, int(noise * 10)])
    columns = {}
    for name in ("lge", "hcm", "rare"):
        truth = np.nan_to_num(exams[f"label_{name}"])
        score = truth + noise * rng.normal(size=len(truth))
        columns[f"zero_shot_{name}"] = store.places(score, exams["data"])
    rank = rng.integers(0, int(8 + 8 * noise), len(truth))
    columns |= {f"place_{way}": rank for way in ("report_to_exam", "exam_to_report")}
    return Scored(columns, {"cpu_s": 60.0 * (1 + noise), "commit": "abc"})


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("results")
    exams = made_exams()
    store.write_exams(folder, exams)
    for name, noise, seeds in (("plain", 1.6, 2), ("better", 0.6, 2), ("other", 1.6, 1)):
        for seed in range(seeds):
            own = made_run(exams, noise, seed if name != "other" else 0)
            own.about["commit"] = "def" if name == "other" else "abc"
            store.write(store.file_of(folder, name, seed), own)
    return folder


def test_places_keep_the_order_and_what_is_equal():
    score = np.array([0.5, -1.0, 0.5, 9.0, 0.0, 3.0])
    data = np.array(["a", "a", "a", "b", "b", "b"])
    assert store.places(score, data).tolist() == [1, 0, 1, 2, 0, 1]


def test_what_is_kept_comes_back(results, tmp_path):
    exams = made_exams()
    own = made_run(exams, 1.6, 1)
    kept = store.read(store.file_of(results, "plain", 1))
    assert kept.about == own.about
    for name, values in own.columns.items():
        np.testing.assert_array_equal(kept.columns[name], values)
    (tmp_path / "x.parquet").write_text("no table")
    with pytest.raises(ValueError, match="cannot be read"):
        store.read(tmp_path / "x.parquet")


def test_results_of_other_exams_are_refused(results):
    other = made_exams()
    other["exam_id"] = other["exam_id"][::-1].copy()
    with pytest.raises(ValueError, match="say another --results"):
        store.write_exams(results, other)
    store.write_exams(results, made_exams())  # the same ones may come again


@pytest.mark.parametrize("complete", [False, True])
def test_worth_is_the_mean_over_findings_and_seeds(results, complete):
    columns = store.read_exams(results)
    own = [store.read(store.file_of(results, "better", s)) for s in range(2)]
    exams = Exams.of(columns, "test", 50, complete)
    block = Measured.of(exams, own).worth()
    aucs: dict[str, list[float]] = {"lge": [], "hcm": []}
    for one in own:
        for name, values in aucs.items():
            label = columns[f"label_{name}"]
            rows = (columns["data"] == "test") & ~np.isnan(label)
            rows &= columns["complete"] | (not complete)
            values.append(roc_auc_score(label[rows], one.columns[f"zero_shot_{name}"][rows]))
    assert block["zero_shot"]["value"] == pytest.approx(np.mean([*aucs["lge"], *aucs["hcm"]]))
    assert set(block["zero_shot"]["findings"]) == {"lge", "hcm"}  # the rare one tells nothing
    assert block["zero_shot"]["findings"]["lge"] == pytest.approx(np.mean(aucs["lge"]))
    seeds = [np.mean([aucs["lge"][s], aucs["hcm"][s]]) for s in range(2)]
    assert block["zero_shot"]["seeds"] == pytest.approx(seeds)
    assert block["zero_shot"]["low"] < block["zero_shot"]["value"] < block["zero_shot"]["high"]
    rows = (columns["data"] == "test") & (columns["complete"] | (not complete))
    hits = [(one.columns["place_exam_to_report"][rows] < 10).mean() for one in own]
    assert block["recall_exam_to_report"]["value"] == pytest.approx(np.mean(hits))
    assert "few_shot" not in block


def test_arms_are_compared_on_the_same_exams(results):
    columns = store.read_exams(results)
    sides = {
        name: [store.read(store.file_of(results, name, s)) for s in range(2)]
        for name in ("plain", "better")
    }
    exams = Exams.of(columns, "elsewhere", 200)
    known = {name: Measured.of(exams, side) for name, side in sides.items()}
    block = known["better"].beside(known["plain"])["zero_shot"]
    values = [known[n].worth()["zero_shot"]["value"] for n in ("plain", "better")]
    assert [block["a"], block["b"]] == pytest.approx(values)
    assert block["difference"]["value"] == pytest.approx(values[1] - values[0])
    assert block["verdict"] == "B is better"
    lge = block["findings"]["lge"]
    assert lge["p_holm"] < 0.05
    assert lge["verdict"] == "B is better"
    same = known["plain"].beside(known["plain"])["zero_shot"]
    assert same["difference"]["value"] == 0
    assert same["findings"]["lge"]["verdict"] == "no difference shown"


def test_what_one_run_was_not_asked_the_arm_was_not(results):
    exams = Exams.of(store.read_exams(results), "test", 20)
    own = [store.read(store.file_of(results, "better", s)) for s in range(2)]
    fewer = Scored({n: c for n, c in own[0].columns.items() if "hcm" not in n}, own[0].about)
    assert set(Measured.of(exams, own).aucs["zero_shot"]) == {"lge", "hcm"}
    assert set(Measured.of(exams, [fewer, own[1]]).aucs["zero_shot"]) == {"lge"}


def test_other_words_are_paired_with_the_reports(results):
    exams = Exams.of(store.read_exams(results), "test", 50)
    good, bad = (store.read(store.file_of(results, n, 0)) for n in ("better", "plain"))
    reworded = {f"held_out_{f}": bad.columns[f"zero_shot_{f}"] for f in ("lge", "hcm")}
    block = Measured.of(exams, [Scored(good.columns | reworded, good.about)]).worth()["rewording"]
    values = [Measured.of(exams, [run]).worth()["zero_shot"]["value"] for run in (bad, good)]
    assert block["difference"]["value"] == pytest.approx(values[0] - values[1])
    assert block["difference"]["high"] < 0


def test_a_table_says_what_pays(results):
    whole = table.write(STUDY, results, 200)
    *_, last = whole.split("\n\n")
    rows = {line.split("|")[1].strip(): line for line in last.splitlines()[2:]}
    assert set(rows) == {"plain", "better", "other"}  # what was not run is not told of
    assert "| pays | 1.6 |" in rows["better"]
    assert "| not shown | 2.6 |" in rows["other"]
    assert rows["other"].endswith("| def |")
    assert rows["other"].count(") * |") == len(SETS)
    assert rows["better"].endswith("| abc |")
    assert " * |" not in rows["better"]
    numbers = json.loads((results / table.NUMBERS_FILE).read_text())
    assert numbers["arms"]["other"]["beside"]["seeds"] == [0]
    assert set(numbers["arms"]["better"]["worth"]) == {
        *SETS,
        "test, complete",
        "elsewhere, complete",
    }
    for picture in (table.PICTURE_FILE, table.CURVES_FILE):
        assert (results / picture).read_bytes()[:4] == b"\x89PNG"
    assert (results / table.TABLE_FILE).read_text().strip() == whole


def test_a_headline_tells_errors_and_findings(results):
    numbers = table.measured(STUDY, results, 100)
    assert numbers["headline"] == ["better"]
    pair = numbers["arms"]["better"]["beside"]["data"]["test"]["zero_shot"]
    parts = told.headline(numbers, "better")
    row = next(line for line in parts[2].splitlines() if line.startswith("| test |"))
    assert f"| {(1 - pair['b']) / (1 - pair['a']):.2f} |" in row
    assert f"| {pair['a']:.3f} | {pair['b']:.3f} |" in row
    (found,) = [parts[i + 1] for i, part in enumerate(parts) if part.endswith("finding: test")]
    assert f"| lge | {pair['findings']['lge']['a']:.3f} |" in found
    assert found.count("\n") == 3  # two findings below the head


def test_headlines_are_not_drawn_among_the_small_differences(results):
    numbers = table.measured(STUDY, results, 50)
    assert {line.arm for line in told.differences(numbers)} == {"other"}
    assert {line.data for line in told.differences(numbers)} == set(SETS)


def test_a_curve_has_the_arms_that_were_run(results):
    numbers = table.measured(STUDY, results, 100)
    lines = told.curves(numbers).splitlines()[2:]
    assert [line.split(" | ")[1] for line in lines] == ["100", "200"]
    points = told.learned(numbers)
    assert {(p.data, p.exams) for p in points} == {
        (data, n) for data in ("test", "elsewhere") for n in (100, 200)
    }
    worth = numbers["arms"]["better"]["worth"]["test"]["zero_shot"]["value"]
    assert next(p for p in points if (p.data, p.exams) == ("test", 200)).value == worth


def test_a_table_of_nothing_is_refused(results, tmp_path):
    store.write_exams(tmp_path, store.read_exams(results))
    with pytest.raises(ValueError, match="has no run of study made up"):
        table.write(STUDY, tmp_path, 10)


def test_an_arm_that_waits_for_another_waits(tmp_path):
    study = Study(
        "s",
        "d",
        (
            Arm("first", "", "c.py", seeds=2),
            Arm("second", "", "c.py", ("data.groups={data}/g.csv",), start="first"),
        ),
    )
    wanted = runs.wanted(study, ".*")
    assert [r.name for r in wanted] == ["first-0", "second-0", "first-1"]
    first, second, _ = wanted
    left = list(wanted)
    assert runs._next(left, [None]) == first
    busy = [(first, iter(()))]
    assert runs._next(left, [*busy, None]).name == "first-1"
    assert runs._next(left, [*busy, None]) is None
    assert runs._next(left, [None]) == second
    place = Place("s.py", "DATA", {"b": "B"}, tmp_path, tmp_path)
    command = runs.train_command(second, place, study)
    assert f"--weights={tmp_path / 'first-0'}" in command
    assert "--config.data.groups=DATA/g.csv" in command
    assert [r.name for r in runs.wanted(study, "sec.*")] == ["second-0"]
    with pytest.raises(ValueError, match="not a regular expression"):
        runs.wanted(study, "sec(")


def test_what_another_starts_from_is_trained_again_where_it_is_not_here(tmp_path):
    study = Study("s", "d", (Arm("first", "", "c.py"), Arm("second", "", "c.py", start="first")))
    place = Place("s.py", "DATA", {}, tmp_path / "out", tmp_path / "results")
    place.results.mkdir()
    both = runs.wanted(study, ".*")
    assert [r.name for r in runs.missing(study, both, place)] == ["first-0", "second-0"]
    store.file_of(place.results, "first", 0).write_bytes(b"")
    assert [r.name for r in runs.missing(study, both, place)] == ["first-0", "second-0"]
    (place.workdir(both[0])).mkdir(parents=True)
    cost = place.workdir(both[0]) / runs.COST_FILE
    for trained in (None, False):  # broken off, failed
        runs._begin(cost)
        if trained is not None:
            runs._end(cost, 1.0, trained)
        assert len(runs.missing(study, both, place)) == 2
    runs._begin(cost)
    runs._end(cost, 1.0, True)
    assert [r.name for r in runs.missing(study, both, place)] == ["second-0"]
    store.file_of(place.results, "second", 0).write_bytes(b"")
    assert runs.missing(study, both, place) == []


def test_a_run_costs_what_all_its_parts_do_or_nobody_knows(tmp_path):
    file = tmp_path / runs.COST_FILE
    assert runs.cost_of(file) == {}
    for seconds in (3.0, 4.5):
        runs._begin(file)
        assert runs.cost_of(file) == {}
        runs._end(file, seconds, True)
    assert runs.cost_of(file) == {"cpu_s": 7.5}
    runs._begin(file)  # a part that was killed together with who counted
    runs._begin(file)
    runs._end(file, 1.0, True)
    assert runs.cost_of(file) == {}
    assert table._minutes([Scored({}, {"cpu_s": 120.0}), Scored({}, {})]) == 2.0
    assert table._minutes([Scored({}, {})]) is None


@pytest.mark.parametrize(
    ("arms", "says"),
    [
        ((Arm("a", "", "c.py"), Arm("a", "", "c.py")), "each once"),
        ((Arm("A b", "", "c.py"),), "names are of"),
        ((Arm("a", "", "c.py", beside="b"),), "no arm 'b'"),
        ((Arm("a", "", "c.py", start="b"), Arm("b", "", "c.py")), "b must stand before a"),
        ((Arm("a", "", "c.py", ("no value",)),), "no option=value"),
        ((Arm("head", "", "c.py"),), "head stands beside nothing"),
    ],
)
def test_a_study_that_cannot_be_is_refused(arms, says):
    with pytest.raises(ValueError, match=says):
        Study("s", "d", arms, headline=tuple(a.name for a in arms if a.name == "head")).check()
    with pytest.raises(ValueError, match="no arm 'c'"):
        Study("s", "d", (Arm("a", "", "c.py"),), curves=(Curve("b", ((9, "c"),)),)).check()


TINY_STUDY = """
from cmr_jax.config.study import Arm, Curve, Study

SMALL = ("data.clip.size=32", "data.batch=8", "optim.steps=1", "model.video.width=16",
         "model.text.width=16", "model.text.vocabulary=512")


def get_study():
    broken = ("data.batch=9999",)
    return Study("tiny", "tiny", (
        Arm("small", "", "configs/ablation/ours.py", SMALL, whole=True),
        Arm("broken", "", "configs/ablation/ours.py", broken),
    ))
"""


def test_a_study_runs_tells_what_failed_and_does_nothing_twice(tiny, tmp_path):
    study, results = tmp_path / "study.py", tmp_path / "results"
    study.write_text(TINY_STUDY)
    command = [
        "cmr_jax.ablate",
        "run",
        f"--study={study}",
        f"--data={tiny}",
        f"--external=again={tiny}",
        f"--out={tmp_path / 'runs'}",
        f"--results={results}",
    ]
    done = run(*command, check=False)
    assert done.returncode == 2
    assert "broken-0 failed: log.txt" in done.stderr
    assert "exams to train on" in (tmp_path / "runs/broken-0/log.txt").read_text()
    kept = store.read(results / "small-0.parquet")
    assert kept.about["cpu_s"] > 0
    assert kept.about["changes"][0] == "data.clip.size=32"
    kinds = {name.split("_lge")[0] for name in kept.columns if name.endswith("_lge")}
    assert kinds >= {"zero_shot", "held_out", "few_shot", "stressed"}
    exams = store.read_exams(results)
    assert set(exams["data"]) == {"val", "test", "again"}
    assert len(exams["data"]) == len(kept.columns["zero_shot_lge"])
    before = (results / "small-0.parquet").stat().st_mtime_ns
    again = run(*command, "--only=small")
    assert "1 runs, 1 of them done before" in again.stderr
    assert (results / "small-0.parquet").stat().st_mtime_ns == before
    told = run("cmr_jax.ablate", "table", f"--study={study}", f"--results={results}")
    assert "| small |" in told.stdout


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("none.py", "no such file of Python"),
        ("setup.cfg", "no such file of Python"),
        ("configs/smoke.py", "has no get_study"),
    ],
)
def test_what_is_no_study_is_said(file, says):
    with pytest.raises(ValueError, match=says):
        studies.read(file)


def test_the_studies_that_are_shipped_can_be_run(tmp_path):
    study = studies.read(str(ROOT / "configs/ablation/v1.py"))
    assert len({arm.name for arm in study.arms}) == len(study.arms) > 30
    with pytest.raises(ValueError, match="cannot be read"):
        table.write(study, tmp_path, 10)
