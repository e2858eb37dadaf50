"""Exams found in words or by another exam: what an index holds, what it refuses, what it survives."""

import json
import shutil

import jax
import numpy as np
import pytest

from cmr_jax import metrics
from cmr_jax.data.source import ExamSource
from cmr_jax.embedding import Embedder
from cmr_jax.evals import answering, questions
from cmr_jax.evals.trust import calibration, conformal
from cmr_jax.search import (
    asking,
    calibrated,
    evidence,
    filters,
    fresh,
    index,
    places,
    rows,
    terminal,
    triage,
)
from cmr_jax.search.index import KEY, Index, one_of
from cmr_jax.search.query import Searcher
from cmr_jax.search.request import Query, explained, typed, vector_of
from cmr_jax.tokenizer import Tokenizer
from cmr_jax.weights import save
from tests.conftest import run

pytestmark = pytest.mark.usefixtures("hasty")
ASKED = questions.read("reports")


def create(path, model, asked, tiny) -> Index:
    about = rows.about(model, "somewhere", asked, str(tiny))
    return Index.create(path, about, rows.columns(asked))


@pytest.fixture
def made(indexed):
    return indexed


@pytest.fixture
def model(unlearned):
    return unlearned


@pytest.fixture
def copied(made, tmp_path):
    """One to do harm to."""
    shutil.copytree(made.path, tmp_path / "index")
    return tmp_path / "index"


@pytest.fixture
def searcher(made, model):
    return Searcher(made, model)


def test_rows_are_the_exams_and_vectors_those_of_the_model(made, model, tiny):
    source = ExamSource(str(tiny), "train")
    exams = {source[i].exam_id: source[i] for i in range(len(source))}
    found = made.rows("", [KEY, "impression", "pictures", "vendor", "row"]).to_pylist()
    assert {row[KEY] for row in found} == set(exams)
    for row in found:
        exam = exams[row[KEY]]
        assert (row["impression"], row["vendor"]) == (exam.impression, exam.vendor)
        assert source[row["row"]].exam_id == row[KEY]
        assert {s.view.name for s in exam.stacks} <= set(row["pictures"])
    vectors = metrics.normalise(model.exams(str(tiny), "train").video)
    for i in (0, len(source) - 1):
        found = made.vectors(one_of(KEY, [source[i].exam_id]))
        np.testing.assert_allclose(found[0], vectors[i], atol=1e-5)


def test_the_nearest_are_those_of_the_largest_product(searcher, made):
    every = made.rows("", [KEY])[KEY].to_pylist()
    hits = searcher(Query("Dilated left ventricle.", k=len(every)))
    direction = searcher.direction(Query("Dilated left ventricle."))
    expected = {e: float(made.vectors(one_of(KEY, [e]))[0] @ direction) for e in every}
    assert [h.exam_id for h in hits] == sorted(every, key=lambda e: -expected[e])
    np.testing.assert_allclose([h.score for h in hits], sorted(expected.values())[::-1], atol=1e-5)
    assert hits[0].percentile > 90
    assert hits[-1].percentile == 0
    assert all(h.carried for h in hits)


def test_a_part_that_an_exam_lacks_carries_nothing(searcher, made):
    lacking = made.ids("NOT array_contains(pictures, 'CH3')")
    assert lacking
    hits = searcher(Query("LGE.", where=one_of(KEY, lacking), k=50))
    assert {h.exam_id for h in hits} == set(lacking)
    assert not any("chamber_3" in h.carried for h in hits)
    assert all("short_axis" in h.carried for h in hits if "SAX" in h.facts["pictures"])


def test_like_an_exam_is_itself_first_and_can_be_left_out(searcher, made):
    exam = made.ids()[3]
    vector = vector_of(searcher.index, exam)
    hits = searcher(Query(like=vector))
    assert hits[0].exam_id == exam
    assert hits[0].score == pytest.approx(1, abs=1e-4)
    others = searcher(Query(like=vector, but=exam, k=9))
    assert [h.exam_id for h in others] == [h.exam_id for h in hits][1:]
    assert len(searcher(Query(like=-vector, but=exam, k=9))) == 9  # that is not found anyway
    both = searcher.direction(Query("No LGE.", like=vector))
    ends = (searcher.direction(Query("No LGE.")), vector)
    assert all(np.dot(both, end) > np.dot(*ends) for end in ends)
    with pytest.raises(ValueError, match="no exam 'nobody'"):
        vector_of(searcher.index, "nobody")


@pytest.mark.parametrize("words", ["", " ?! ", "x" * 2000])
def test_nothing_asked_is_refused(searcher, made, words):
    with pytest.raises(ValueError, match="a query has a word"):
        searcher(Query(words))
    with pytest.raises(ValueError, match="a query has a word"):
        typed(made, words)
    assert typed(made, "", beside=True).words == ""  # another exam is to come
    for k in (0, 1001):
        with pytest.raises(ValueError, match=f"{k} hits: from 1 to 1000"):
            typed(made, "LGE", k=k)


def test_texts_are_remembered_until_they_are_many(model, monkeypatch):
    monkeypatch.setattr(asking, "REMEMBERED", 3)
    embedded = []
    asker = asking.Asker(lambda texts: embedded.append(texts) or model.texts(texts), {})
    first = asker("Heart.")
    asker("Apex.")
    np.testing.assert_array_equal(asker("Heart."), first)
    assert embedded == [["Heart."], ["Apex."]]
    for word in ("Base.", "Septum.", "Valve.", "Aorta."):
        asker(word)
    assert len(asker._known) <= 4
    np.testing.assert_allclose(asker("Heart."), first, atol=1e-5)


def test_denial_is_the_opposite_of_what_it_denies():
    for words in ("no late gadolinium enhancement", "no left bundle branch block"):
        plain = words.removeprefix("no ")
        denied, said = (_weights(words), _weights(plain))
        opposite = [text for text, weight in denied.items() if weight * said.get(text, 0) < 0]
        assert opposite, words
    assert "late gadolinium enhancement" not in _weights("no late gadolinium enhancement")


def _weights(words: str) -> dict[str, float]:
    found = asking.terms(words, asking.understood(words), ASKED)
    return {text: term.weight for term in found for text in term.texts}


@pytest.mark.parametrize(
    ("typed", "holds"),
    [
        ("vendor=GE", lambda r: r["vendor"] == "GE"),
        ("vendor != GE", lambda r: r["vendor"] != "GE"),
        ("age>=60", lambda r: r["age"] is not None and r["age"] >= 60),
        ("age<50", lambda r: r["age"] is not None and r["age"] < 50),
        ("has=lge", lambda r: "LGE" in r["pictures"]),
        ("has!=CH3 CINE", lambda r: "CH3 CINE" not in r["pictures"]),
        ("lge>0", lambda r: r["finding_lge"] > 0),
        ("site=' OR true OR '", lambda r: False),
    ],
)
def test_filters_hold_for_what_is_found(made, typed, holds):
    names = [KEY, "vendor", "age", "pictures", "finding_lge"]
    expected = {r[KEY] for r in made.rows("", names).to_pylist() if holds(r)}
    assert set(made.ids(filters.condition([typed], made.about))) == expected


@pytest.mark.parametrize(
    "typed",
    [
        "vendor",
        "vendor>GE",
        "age=old",
        "age>nan",
        "impression=x",
        "age>=60 OR true",
        "age>=65",
        "age>60",
        "; DROP=1",
        "",
    ],
)
def test_what_is_no_filter_is_refused(made, typed):
    with pytest.raises(ValueError, match="filter"):
        filters.condition([typed], made.about)


def test_a_run_that_was_stopped_goes_on(made, model, asked, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "AT_ONCE", 8)
    other = create(tmp_path / "index", model, asked, tiny)
    honest, calls = index.Writer.add, []

    def stopped(self, table):
        calls.append(len(table))
        if len(calls) == 3:
            raise KeyboardInterrupt
        honest(self, table)

    monkeypatch.setattr(index.Writer, "add", stopped)
    with pytest.raises(KeyboardInterrupt):
        rows.fill(other, model, asked, str(tiny), "train")
    there = Index(other.path)
    assert len(there) == 16
    monkeypatch.setattr(index.Writer, "add", honest)
    assert rows.fill(there, model, asked, str(tiny), "train").added == len(made) - 16
    assert sorted(there.ids()) == sorted(made.ids())


def test_exams_are_taken_out_and_a_reader_sees_it(copied, monkeypatch):
    monkeypatch.setattr(index, "RENEWED", index.datetime.timedelta(0))
    monkeypatch.setattr(index, "SEEN", index.datetime.timedelta(0))
    reader, writer = Index(copied), Index(copied)
    gone, kept = reader.ids()[:2], reader.ids()[2]
    before = len(reader)
    with pytest.raises(ValueError, match=r"nothing was removed: the index has no nobody\."):
        rows.drop(writer, [*gone, "nobody"])
    assert len(writer) == before
    assert rows.drop(writer, gone) == 2
    assert kept in still_held(copied, [*gone, kept])
    assert not still_held(copied, gone)
    assert len(reader) == before - 2
    assert not set(gone) & set(reader.ids())
    assert writer.check() > 0


def still_held(path, names: list[str]) -> list[str]:
    """Which of some exams any file of an index tells of."""
    held = b"".join(f.read_bytes() for f in path.rglob("*.lance") if f.is_file())
    return [name for name in names if name.encode() in held]


@pytest.mark.parametrize("when", ["delete", "update", "optimize"])
def test_a_removal_that_was_killed_is_finished_by_the_next(copied, monkeypatch, when):
    monkeypatch.setattr(index, "RENEWED", index.datetime.timedelta(0))
    monkeypatch.setattr(index, "SEEN", index.datetime.timedelta(0))
    stopped, gone = Index(copied), Index(copied).ids()[:2]
    honest = getattr(stopped._table, when)

    def killed(*args, **options):
        if when == "delete":
            honest(*args, **options)  # done, and nothing after it
        raise KeyboardInterrupt

    monkeypatch.setattr(stopped._table, when, killed)
    with pytest.raises(KeyboardInterrupt):
        rows.drop(stopped, gone)
    there = Index(copied)
    assert still_held(copied, gone)
    with there.writing():
        pass
    assert not still_held(copied, gone)
    assert not set(gone) & set(there.ids())
    assert there.check() > 0


def test_two_writers_do_not_mix(copied):
    with Index(copied).writing(), pytest.raises(ValueError, match="in use by process"):
        Index(copied).writing().__enter__()


def test_what_is_damaged_is_not_opened(copied):
    (data,) = sorted((copied / "exams.lance" / "data").iterdir())[:1]
    content = data.read_bytes()
    changed = bytearray(content)
    changed[len(changed) // 2] ^= 1
    data.write_bytes(changed)
    with pytest.raises(ValueError, match=f"{data.name} is not as it was written"):
        Index(copied).check()
    data.write_bytes(content[:-9])
    with pytest.raises(ValueError, match=f"{data.name} is not as it was written"):
        Index(copied)
    data.unlink()
    with pytest.raises(ValueError, match=f"{data.name} is not as it was written"):
        Index(copied)


def test_what_breaks_while_it_is_open_is_one_line(copied):
    opened = Index(copied)
    for data in (copied / "exams.lance" / "data").iterdir():
        data.write_bytes(b"")
    with pytest.raises(ValueError, match="cannot be read, it may be damaged"):
        opened.vectors("")


def test_what_is_no_index_is_said(tmp_path, copied):
    with pytest.raises(ValueError, match=r"is no index\. Make one"):
        Index(tmp_path)
    (copied / "index.json").write_text("{")
    with pytest.raises(ValueError, match="damaged"):
        Index(copied)


def test_the_fingerprint_is_of_weights_and_words(model):
    same = Embedder(model.weights._replace(params=dict(model.weights.params)), 4)
    assert rows.fingerprint(same) == rows.fingerprint(model)
    params = jax.tree.map(lambda x: x, model.weights.params)
    params["logit_scale"] = params["logit_scale"] + 1
    assert rows.fingerprint(Embedder(model.weights._replace(params=params))) != rows.fingerprint(
        model
    )
    words = model.weights._replace(tokenizer=Tokenizer(b"other"))
    assert rows.fingerprint(Embedder(words)) != rows.fingerprint(model)


def test_many_are_drawn_for_a_percentile(made):
    assert len(made.sample(10_000)) == len(made)
    some = made.sample(5)
    assert some.shape == (5, made.about.width)
    np.testing.assert_allclose(np.linalg.norm(some, axis=1), 1, atol=1e-5)


def test_the_command_line_finds_exams_in_words_and_from_dicom(model, tiny, tmp_path):
    save(tmp_path / "export", model.weights)
    here = f"--index={tmp_path / 'index'}"
    weights = f"--weights={tmp_path / 'export'}"
    done = run("cmr_jax.search", "index", weights, f"--data={tiny}", "--splits=val,test", here)
    n = len(ExamSource(str(tiny), "val")) + len(ExamSource(str(tiny), "test"))
    assert f"{n} exams in {tmp_path / 'index'}" in done.stdout
    ask = ("cmr_jax.search", "query", str(tmp_path / "index"))
    both = ("dilated", "LV", "--like_dicom=phantom:tiny:exams=1", "--where=has=SAX")
    done = run(*ask, *both, "-k", "3", "--json", "--slices")
    told = json.loads(done.stdout)
    hits = told["hits"]
    assert told["understood"] == {"lv_dilation": True}
    assert len(hits) == 3
    assert all(hit["slices"] for hit in hits)
    assert all("SAX" in hit["pictures"] for hit in hits)
    labelled = (f"--data={tiny}", "--splits=train")
    done = run("cmr_jax.search", "calibrate", str(tmp_path / "index"), *labelled)
    assert "exams teach" in done.stdout
    done = run(*ask, "big left ventricle", "--where=sex=banana")
    assert done.stdout.startswith(
        "understood: lv dilation\nno exam has sex=banana: there are F, M."
    )
    params = jax.tree.map(lambda x: x * 2, model.weights.params)
    save(tmp_path / "other", model.weights._replace(params=params))
    done = run(*ask, "LV", f"--weights={tmp_path / 'other'}", check=False)
    assert done.returncode == 2
    assert "was made with another model" in done.stderr


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ([], "say what to do: index, query, "),
        (["index", "--index=x"], "--data is missing."),
        (["check", "{index}", "-k", "3"], "check takes no flags, not --hits."),
        (["triage", "{index}", "--splits=val"], "--splits does not go without --data."),
        (["triage", "{index}", "--data={index}/none"], "none: there is no such folder."),
    ],
)
def test_what_is_typed_wrongly_is_told_in_one_line(made, typed, told):
    done = run("cmr_jax.search", *(word.format(index=made.path) for word in typed), check=False)
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not done.stdout


def test_a_worklist_is_what_the_command_line_prints(copied, made, taught):
    calibrated.write(copied, taught[0])
    done = run("cmr_jax.search", "triage", str(copied), "--findings=lv_dysfunction")
    assert len(done.stdout.splitlines()) == len(made) + 1
    assert not done.stderr
    known = made.ids()[0]
    done = run("cmr_jax.search", "remove", str(copied), f"--exams={known},nobody", check=False)
    assert done.returncode == 2
    assert "nothing was removed: the index has no nobody." in done.stderr
    assert len(Index(copied)) == len(made)


def test_a_table_has_two_lines_and_the_words_of_each(searcher):
    hits = searcher(Query("LGE.", k=2))
    text = terminal.table(hits, {"lge": True, "hcm": False}, ["old scars", "odd"], [])
    lines = text.splitlines()
    assert lines[:2] == [
        "understood: lge, no hcm",
        "by likeness to the words alone: old scars; odd",
    ]
    assert lines[2].startswith("  1  ")
    poor = [hit._replace(probability=0.4) for hit in hits]
    assert "no exam is more likely than not" in terminal.table(poor, {"lge": True}, [], [])
    poor[1] = hits[1]._replace(probability=0.6)
    assert "no exam is more likely than not" not in terminal.table(poor, {"lge": True}, [], [])
    assert "above" in text
    words = " ".join(hits[1].facts["impression"].split())
    assert words[:200] in " ".join(text.split())
    query = Query("LGE.", k=1)
    (hit,) = searcher(query)
    hit = searcher.with_slices(hit, searcher.direction(query))
    lost = [one["lost"] for one in hit.slices]
    assert 0 < len(lost) <= 3
    source, _, row = places.find(searcher.index, hit.exam_id)
    whole = evidence.of(searcher.model, source, row, searcher.direction(query))
    assert lost == sorted((one.lost for one in whole if one.lost > 0), reverse=True)[:3]
    assert f" -{lost[0]:.3f}" in terminal.table([hit], {}, [], []).splitlines()[3]
    assert 1 <= hit.slices[0]["slice"] <= hit.slices[0]["slices"]
    told = {"view": "SAX", "sequence": "CINE", "slice": 1, "lost": 0.5}
    for slices, expected in ((9, "SAX CINE 1 of 9 -0.500"), (1, "SAX CINE -0.500")):
        shown = terminal.table([hit._replace(slices=(told | {"slices": slices},))], {}, [], [])
        assert expected in shown
    nothing = searcher(Query("LGE.", where="false"))
    assert "loosen the filters" in terminal.table(nothing, {}, [], [])


def test_probabilities_lie_in_their_intervals_and_survive_a_file(taught, tmp_path, asked):
    learned, known = taught
    found = learned.findings
    assert "lv_dysfunction" in found
    calibrated.write(tmp_path, learned)
    again = calibrated.read(tmp_path)
    assert again[1:] == learned[1:] == (len(known), ("test",))
    for name, score in asked.scores(known.video).items():
        if name not in found:
            continue
        told = found[name](score)
        assert (told.low <= told.probability).all()
        assert (told.probability <= told.high).all()
        assert (told.high - told.low).max() > 0.01
        for a, b in zip(told, again.findings[name](score), strict=True):
            np.testing.assert_allclose(a, b)
    (tmp_path / "calibration.json").write_text('{"lge": 3}')
    with pytest.raises(ValueError, match="Calibrate the index again"):
        calibrated.read(tmp_path)


def test_probabilities_are_those_of_the_evaluation(taught, asked):
    (found, *_), known = taught
    scores = asked.scores(known.video)
    _, columns = answering.evaluate(known, scores, known, scores, None)
    assert columns
    for name in (c.removeprefix("answer_") for c in columns if c.startswith("answer_")):
        told = found[name](scores[name])
        np.testing.assert_allclose(told.probability, columns[f"probability_{name}"])
        np.testing.assert_allclose(told.answer, columns[f"answer_{name}"])


def one_finding(most=(0.5, 0.5)):
    promise = conformal.Promise(np.array(most), np.array([50, 50]), 0.9)
    scaling = calibration.Scaling(1.0, 0.0)
    return calibrated.Calibrated(scaling, (scaling, calibration.Scaling(0.5, 0.0)), promise)


def worklist(scores: dict[str, np.ndarray]) -> rows.Scored:
    return rows.Scored(list("abc"), [{"site": f"site {x}"} for x in "abc"], scores, 0)


def test_a_worklist_needs_something_that_was_calibrated(taught):
    with pytest.raises(ValueError, match=r"not calibrated: any\. Calibrated are none: run"):
        triage.rank(worklist({}), {}, [])
    with pytest.raises(ValueError, match="not calibrated: nothing"):
        triage.rank(worklist({}), taught[0].findings, ["nothing"])


def test_a_worklist_begins_with_the_likeliest_and_says_what_is_unsure():
    scores = {"lge": np.array([-3.0, 0.0, 3.0]), "hcm": np.array([2.0, -5.0, -5.0])}
    known = {"lge": one_finding((0.3, 0.3)), "hcm": one_finding()}
    found = triage.rank(worklist(scores), known, ["lge", "hcm"])
    assert found.exam_ids == ["c", "a", "b"]
    likely = {f: known[f](scores[f]).probability for f in known}
    np.testing.assert_allclose(found.expected, (likely["lge"] + likely["hcm"])[[2, 0, 1]])
    listed = {row["exam_id"]: row for row in triage.rows(found)}
    assert [listed[x]["lge"] for x in "abc"] == ["no", "unsure", "yes"]
    assert listed["a"]["hcm"] == "yes"
    assert listed["c"]["lge_high"] > listed["c"]["lge_probability"] >= listed["c"]["lge_low"]
    lines = triage.as_csv(found).splitlines()
    assert lines[0].startswith("place,exam_id,site,expected,lge,lge_probability,")
    assert lines[1].startswith("1,c,site c,")
    assert triage.rank(worklist(scores), known, ["lge", "hcm"], 2).exam_ids == ["c", "a"]
    assert json.loads(triage.as_json(found))[2]["exam_id"] == "b"
    with pytest.raises(ValueError, match=r"not calibrated: infarct\. Calibrated are lge, hcm"):
        triage.rank(worklist(scores), known, ["infarct"])


def test_a_query_is_like_one_new_exam(made, model, monkeypatch):
    vectors = np.eye(2)
    monkeypatch.setattr(fresh, "embedded", lambda *_: (["a", "b"], vectors))
    with pytest.raises(ValueError, match="holds 2 exams: ask with one"):
        fresh.one("somewhere", made.about, model)
    monkeypatch.setattr(fresh, "embedded", lambda *_: (["a"], vectors[:1]))
    np.testing.assert_array_equal(fresh.one("somewhere", made.about, model), vectors[0])


def test_new_data_is_scored_as_the_index_is(made, model, asked, tiny):
    ids, who, scores, broken = rows.scored(model, asked, [str(tiny)], ["train"])
    assert not broken
    indexed = triage.of_index(made, [])
    assert dict(zip(ids, who, strict=True)) == dict(zip(indexed.exam_ids, indexed.who, strict=True))
    table = made.rows("", [KEY, "finding_lge"]).to_pydict()
    indexed = dict(zip(table[KEY], table["finding_lge"], strict=True))
    np.testing.assert_allclose(scores["lge"], [indexed[i] for i in ids], atol=1e-5)
    with pytest.raises(ValueError, match=r"no exam of nothing .* the splits test, train, val"):
        rows.scored(model, asked, [str(tiny)], ["nothing"])


def test_words_of_which_all_is_known_come_in_the_order_of_how_likely_all_is(made, model):
    lge = dict(zip(*made.rows("", [KEY, "finding_lge"]).to_pydict().values(), strict=True))
    mean, spread = np.mean(list(lge.values())), np.std(list(lge.values()))
    certain = {"lge": lambda score: 1 / (1 + np.exp(-8 * (score - mean) / spread))}
    for words, there in (("LGE", True), ("no LGE", False)):
        hits = Searcher(made, model, certain)(typed(made, words, k=9))
        chances = [certain["lge"](lge[h.exam_id]) for h in hits]
        chances = chances if there else [1 - x for x in chances]
        np.testing.assert_allclose([h.probability for h in hits], chances, rtol=1e-4)
        assert min(chances) > 0.5
    near = Searcher(made, model)(typed(made, "LGE", k=9))
    assert [h.probability for h in near] == [None] * 9
    half = Searcher(made, model, certain)(typed(made, "LGE and a dilated LV", k=9))
    assert [h.probability for h in half] == [None] * 9
    like = made.ids()[0]
    both = Searcher(made, model, certain)(typed(made, "LGE", like, k=9))
    assert like not in [h.exam_id for h in both]
    assert [h.probability for h in both] == [None] * 9


def test_near_ones_that_are_as_likely_come_first(made, model):
    rng = np.random.default_rng(0)
    level = {"lge": lambda score: 0.5 + 1e-6 * rng.random(len(score))}
    nearest = Searcher(made, model)(typed(made, "LGE", k=5))
    hits = Searcher(made, model, level)(typed(made, "LGE", k=5))
    assert [h.exam_id for h in hits] == [h.exam_id for h in nearest]
    assert [h.score for h in hits] == pytest.approx([h.score for h in nearest])


@pytest.mark.parametrize(
    ("words", "pieces"),
    [
        ("myocarditis with pericardial effusion and no LV dysfunction", ["myocarditis"]),
        ("women over 60 with thickened septum", ["women over 60"]),
        ("Possible HCM", ["possible hcm"]),
        ("asdf; no?", ["asdf"]),
        ("severely dilated left ventricle with mid-wall enhancement, but no effusion", []),
        ("", []),
    ],
)
def test_what_no_rule_reads_is_told(words, pieces):
    assert asking.beyond(words) == pieces


def test_what_nobody_has_is_said_with_what_there_is(made):
    asked = ["sex=banana", "has=BANANA", "has=sax", "vendor=GE", "age>=60", "exam=x", "site!=y"]
    said = explained(made, "LGE in a big heart", asked, 0)
    assert said["understood"] == {"lge": True, "lv_dilation": True}
    assert said["nobody_has"][0] == "no exam has sex=banana: there are F, M"
    assert said["nobody_has"][1].startswith("no exam has has=BANANA: there are CH2, ")
    assert len(said["nobody_has"]) == 2
    assert not explained(made, "", asked, 1)["nobody_has"]
    with pytest.raises(ValueError, match="no exam has sex=banana"):
        triage.of_index(made, ["sex=banana"])


def test_who_taught_and_who_is_strange_is_said(taught, caplog):
    learned, here = taught[0], {"site": "test"}
    scored = rows.Scored(["a", "b"], [here, {"site": "elsewhere"}], {}, 3)
    with caplog.at_level("WARNING", logger="cmr_jax"):
        triage.warn(scored._replace(who=[here, here], broken=0), learned)
        assert not caplog.text
        triage.warn(scored, learned)
    assert "3 exams cannot be read" in caplog.text
    assert "1 of 2 exams are of elsewhere" in caplog.text
