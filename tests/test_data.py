"""Batches: the clip is what it says, randomness belongs to the index, position survives hosts."""

import dataclasses
import time

import grain
import jax
import numpy as np
import pytest

from cmr_jax import config
from cmr_jax.data import pipeline, published, recipes, transforms
from cmr_jax.data.pipeline import EvalBatches, TrainBatches
from cmr_jax.data.source import ExamSource
from cmr_jax.data.texts import ChooseTexts, group_of
from cmr_jax.data.transforms import ReadClip, spread
from cmr_jax.schema import Sequence, View
from cmr_jax.tokenizer import Tokenizer


@pytest.fixture
def tokenizer(tiny):
    return Tokenizer.load(tiny / "tokenizer.model")


def equal(a, b) -> bool:
    """Of lists of what was loaded: exams, pixels, position."""
    return all(
        np.array_equal(np.asarray(x), np.asarray(y))
        for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    )


def test_a_clip_holds_what_the_exam_has_and_masks_the_rest(tiny, smoke):
    source = ExamSource(str(tiny), "train")
    read = ReadClip(source, smoke.data.clip, train=False)
    for index in range(6):
        element = read.random_map(index, np.random.default_rng(0))
        mask, c = element["frame_mask"], element["coordinates"]
        views = [s.view for s in element["exam"].stacks if s.sequence is Sequence.CINE]
        assert mask.sum() >= 2 * 3
        assert not mask[mask.argmin() :].any() or mask.all()
        sax = mask & c["is_cine"] & (c["view"] == View.SAX)
        assert sax.sum() == (2 * 3 if View.SAX in views else 0)
        assert element["video"][~mask].sum() == 0
        assert (c["phase"][mask & c["is_cine"]] < 1).all()
        assert len(set(c["slice_mm"][sax])) == 2


def test_spread_is_even():
    assert spread(9, 3) == [1, 4, 7]
    assert spread(2, 5) == [0, 1]
    assert spread(10, 1) == [5]


def test_batches_repeat_exactly_and_differ_between_epochs(tiny, smoke, tokenizer):
    a, b = (TrainBatches(smoke, tokenizer) for _ in range(2))
    first = [next(a) for _ in range(8)]
    assert equal(first, [next(b) for _ in range(8)])
    assert not equal(first[0].batch, first[3].batch)


def test_position_is_one_number_and_goes_on_exactly(tiny, smoke, tokenizer):
    a = TrainBatches(smoke, tokenizer)
    for _ in range(3):
        next(a)
    state = a.state
    expected = [next(a) for _ in range(3)]
    b = TrainBatches(smoke, tokenizer)
    b.restore(state)
    assert equal(expected, [next(b) for _ in range(3)])
    assert list(state.values()) == [24]


def test_a_batch_says_whose_it_is_and_where_to_go_on(tiny, smoke, tokenizer):
    source = ExamSource(str(tiny), "train")
    reports = {e.exam_id: group_of(e.impression) for e in (source[i] for i in range(len(source)))}
    smoke.data.shuffle_sentences = False
    batches = TrainBatches(smoke, tokenizer)
    loaded = [next(batches) for _ in range(2)]
    for batch, rows, exams, broken, _ in loaded:
        assert rows == tuple(batch.row)
        assert [reports[e] for e in exams] == list(batch.report_group[:, 0])
        assert broken == ()
    batches.restore(loaded[0].state)
    assert equal([next(batches)], loaded[1:])


def test_a_batch_of_each_thread_is_read_ahead_and_no_more(tiny, smoke, tokenizer, monkeypatch):
    """A batch may be a gigabyte, and a step takes seconds: what is read waits in memory."""
    read, steps = [], recipes.for_training

    def counted(*of):
        return [*steps(*of), Counted(read)]

    monkeypatch.setattr(pipeline.recipes, "for_training", counted)
    batches = TrainBatches(smoke, tokenizer)
    next(batches)
    wanted, until = (1 + smoke.data.threads) * smoke.data.batch, time.monotonic() + 60
    while len(read) < wanted and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.2)  # enough for ten batches more of these
    assert len(read) == wanted


class Counted(grain.transforms.Map):
    """Passes elements on, and keeps their ids."""

    def __init__(self, seen: list):
        self.seen = seen

    def map(self, element):
        self.seen.append(element["exam_id"])
        return element


def test_two_hosts_see_what_one_does(tiny, smoke, tokenizer):
    whole = TrainBatches(smoke, tokenizer)
    halves = [TrainBatches(smoke, tokenizer, host, 2) for host in range(2)]
    for _ in range(4):
        one, parts = next(whole).batch, [next(half).batch for half in halves]
        assert sorted(np.concatenate([part.row for part in parts])) == list(one.row)
        for part in parts:  # an exam's row is its own, whoever loads it
            np.testing.assert_array_equal(part.video, one.video[part.row])
            np.testing.assert_array_equal(part.report_group, one.report_group[part.row])


def test_texts_are_the_impression_then_sentences_of_it(tiny, smoke, tokenizer):
    source = ExamSource(str(tiny), "train")
    choose = ChooseTexts(tokenizer, 64, 3, shuffle=True)
    exam = source[0]
    element = choose.random_map({"exam": exam}, np.random.default_rng(0))
    assert element["tokens"].shape == (3, 64)
    assert element["report_group"][0] == group_of(exam.impression)
    assert element["report_group"][1] in {group_of(s) for s in exam.sentences}
    silent = dataclasses.replace(exam, impression="", sentences=())
    assert (
        choose.random_map({"exam": silent}, np.random.default_rng(0))["report_group"] == -1
    ).all()


def test_impressions_of_a_given_group_are_equal(tiny, smoke, tokenizer, tmp_path):
    exams = [ExamSource(str(tiny), "train")[i] for i in range(3)]
    file = tmp_path / "groups.csv"
    file.write_text(f"exam_id,group\n{exams[0].exam_id},a\n{exams[1].exam_id},a\n")
    smoke.data.groups, smoke.data.shuffle_sentences = str(file), False
    chosen = {}
    for given in (True, False):
        source = ExamSource(str(tiny), "train")
        groups = recipes.shared_groups(source, str(file)) if given else {}
        choose = ChooseTexts(tokenizer, 64, 2, False, groups=groups)
        chosen[given] = [
            choose.random_map({"exam": e}, np.random.default_rng(0))["report_group"] for e in exams
        ]
    assert chosen[True][0][0] == chosen[True][1][0] != chosen[True][2][0]
    assert chosen[False][0][0] != chosen[False][1][0]
    assert [g[1] for g in chosen[True]] == [g[1] for g in chosen[False]]  # sentences are as ever
    next(TrainBatches(smoke, tokenizer))
    file.write_text("exam,group\n")
    with pytest.raises(ValueError, match="no column exam_id"):
        TrainBatches(smoke, tokenizer)
    smoke.data.groups = str(tmp_path / "none.csv")
    with pytest.raises(ValueError, match="cannot be read"):
        TrainBatches(smoke, tokenizer)


def test_groups_ignore_order_case_and_numbering():
    assert group_of("1. Normal LV. 2. No LGE.") == group_of("Normal LV. No LGE.")
    assert group_of("1) Normal LV\n2) No LGE") == group_of("No LGE.\nNormal LV.")
    assert group_of("Normal LV. No LGE.") != group_of("No LGE.")
    assert group_of("Strain -18 %.") != group_of("Strain 18 %.")
    assert group_of("A scar of 2.5 cm.") != group_of("A scar of 2 cm. 5.")
    assert group_of("EF 62. Normal.") != group_of("EF 26. Normal.")
    assert group_of("Normal LV.\nNo LGE.") == group_of("no lge. normal LV")
    assert group_of("左心室扩大。无延迟强化。") != group_of("左心室正常。无延迟强化。")
    assert group_of("左心室扩大。无延迟强化。") == group_of("无延迟强化。左心室扩大。")
    assert group_of("ЛЖ расширен.") != group_of("ПЖ расширен.")


def test_evaluation_sees_every_exam_once(tiny, smoke, tokenizer):
    source = ExamSource(str(tiny), "test")
    real = [n for _, n in EvalBatches(source, smoke, tokenizer)]
    assert sum(real) == len(source)


def test_a_control_run_borrows_reports(tiny, smoke, tokenizer):
    own = next(TrainBatches(smoke, tokenizer)).batch
    smoke.data.permute_reports = True
    other = next(TrainBatches(smoke, tokenizer)).batch
    assert np.array_equal(own.video, other.video)
    assert (own.report_group[:, 0] != other.report_group[:, 0]).mean() > 0.5
    # And it is the control that does so, not the run it is a control of.
    source = ExamSource(str(tiny), "train")
    for permuted in (True, False):
        smoke.data.permute_reports = permuted
        exams = range(len(source))
        steps = recipes.for_training(source, exams, smoke, tokenizer)
        assert any(isinstance(s, transforms.BorrowReport) for s in steps) is permuted


def test_frames_of_another_size_say_what_to_do(tiny, smoke):
    smoke.data.clip.size = 64
    read = ReadClip(ExamSource(str(tiny), "train"), smoke.data.clip, train=False)
    with pytest.raises(ValueError, match=r"data.clip.size=32"):
        read.random_map(0, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("path", "split", "says"),
    [("", "train", "data.path"), ("/nowhere", "train", "data_prep.build")],
)
def test_no_data_says_what_to_do(path, split, says):
    with pytest.raises(ValueError, match=says):
        ExamSource(path, split)


def test_a_split_that_is_not_there_is_named(tiny):
    with pytest.raises(ValueError, match="no split 'tset'"):
        ExamSource(str(tiny), "tset")


def moments(element) -> set[tuple]:
    """Which frames of which stack a clip shows: (stack, where along the heart, when)."""
    c, mask = element["coordinates"], element["frame_mask"]
    return set(zip(*(c[n][mask].tolist() for n in ("stack", "slice_mm", "phase")), strict=True))


def test_training_meets_every_slice_and_every_phase(tiny, smoke):
    source = ExamSource(str(tiny), "train")
    read = ReadClip(source, smoke.data.clip, train=True)
    draws = [read.random_map(0, np.random.default_rng(i)) for i in range(400)]
    cine = {s.view: s for s in source[0].stacks if s.sequence is Sequence.CINE}
    expected = [
        (at, slice_mm, phase)
        for at, view in enumerate((View.SAX, View.CH4, View.CH2, View.CH3))
        for slice_mm, phases in zip(cine[view].slice_mm, cine[view].phases, strict=True)
        for phase in phases
    ]
    met = set.union(*map(moments, draws))
    assert set(map(tuple, np.float32(expected).tolist())) <= met
    # Each exam draws for itself, and each slice its own first phase.
    assert len({frozenset(moments(d)) for d in draws}) > 100


def test_evaluation_draws_nothing(tiny, smoke):
    read = ReadClip(ExamSource(str(tiny), "train"), smoke.data.clip, train=False)
    rng = np.random.default_rng(0)
    assert moments(read.random_map(0, rng)) == moments(read.random_map(0, rng))
    assert rng.random() == np.random.default_rng(0).random()


def test_slices_are_drawn_from_equal_parts(tiny):
    rng = np.random.default_rng(0)
    draws = np.array([spread(11, 4, rng) for _ in range(4000)])
    assert (np.diff(draws) > 0).all()  # no slice twice, base to apex
    often = np.bincount(draws.ravel(), minlength=11) / 4000
    np.testing.assert_allclose(often, 4 / 11, atol=0.1)
    for k, part in enumerate(draws.T):
        assert int(k * 11 / 4) <= part.min() <= part.max() <= int(np.ceil((k + 1) * 11 / 4)) - 1
    assert spread(3, 5, rng) == [0, 1, 2]


def test_the_published_clip_is_six_arrays_end_to_end(tiny):
    source = ExamSource(str(tiny), "train")
    exams = [source[i] for i in range(len(source))]
    whole = [e for e in exams if published.is_complete(e)]
    assert 0 < len(whole) < len(exams)
    exam = whole[0]
    lax, sax, lge, *long = published.stacks_of(exam)
    frames = published.frames_of(exam)
    phases, slices = len(lax.phases[0]), len(lge.slice_mm)
    expected = [(lax, len(lax.slice_mm) // 2, t) for t in range(phases)]
    expected += [(sax, len(sax.slice_mm) // 2, t) for t in range(len(sax.phases[0]))]
    expected += [(lge, i, 0) for i in range(slices)]
    for stack in long:
        expected += [(stack, len(stack.slice_mm) // 2, 0)] * slices
    assert frames == expected
    clip = config.Clip(layout=config.Layout.PUBLISHED, size=24, sampled=5, enlarged=28)
    element = published.ReadPublished(source, clip, False).random_map(
        exams.index(exam), np.random.default_rng(0)
    )
    for at, i in enumerate(published.sample(5, len(frames), None)):
        stack, slice_index, t = frames[i]
        stored = source.frames(stack, slice_index)[t]
        np.testing.assert_array_equal(element["video"][at, ..., 0], stored)
        assert element["coordinates"]["view"][at] == stack.view
    resized = published.ResizePublished(clip, False).random_map(element, np.random.default_rng(0))
    assert resized["video"].shape == (5, 24, 24, 1)
    assert resized["video"].dtype == np.float32
    assert 0 <= resized["video"].min() < resized["video"].max() <= 1


def test_an_incomplete_exam_is_left_out_of_training_and_embedded_from_what_it_has(tiny, smoke):
    source = ExamSource(str(tiny), "train")
    smoke.data.clip = config.Clip(layout=config.Layout.PUBLISHED, size=32, sampled=40, enlarged=40)
    smoke.data.batch = 4
    kept = recipes.usable(source, smoke.data)
    batches = pipeline.TrainBatches(smoke, Tokenizer.load(tiny))
    assert (batches.exams, batches.left_out) == (len(kept), len(source) - len(kept))
    assert next(batches).batch.frame_mask.any(1).all()
    batches.close()
    smoke.data.batch = len(source)
    with pytest.raises(ValueError, match=r"exams to train on, since \d+ lack a view"):
        pipeline.TrainBatches(smoke, Tokenizer.load(tiny))
    lacking = next(i for i in range(len(source)) if i not in kept)
    element = published.ReadPublished(source, smoke.data.clip, False).random_map(
        lacking, np.random.default_rng(0)
    )
    assert element["frame_mask"].sum() == min(40, len(published.frames_of(source[lacking])))


def test_the_published_crop_stays_inside_and_flips_half_of_the_time():
    rng = np.random.default_rng(0)
    for _ in range(200):
        top, left, h, w = published.random_crop((40, 60), rng)
        assert 0 <= top <= 40 - h
        assert 0 <= left <= 60 - w
        assert 0.49 <= h * w / 2400 <= 1
        assert 0.7 <= w / h <= 1.4
    assert published.random_crop((10, 100), rng)[2:] == (10, 13)  # nothing fits: the middle
    clip = config.Clip(layout=config.Layout.PUBLISHED, size=8, sampled=1)
    ramp = np.tile(np.arange(8, dtype=np.uint8) * 30, (1, 8, 1))[..., None]
    step = published.ResizePublished(clip, True)
    rises = [
        np.diff(step.random_map({"video": ramp}, np.random.default_rng(i))["video"][0, 4, :, 0])[3]
        for i in range(200)
    ]
    assert 0.4 < np.mean(np.array(rises) < 0) < 0.6


def test_impressions_keep_their_order_where_that_is_asked(tiny):
    tokenizer = Tokenizer.load(tiny)
    source = ExamSource(str(tiny), "train")
    exam = max((source[i] for i in range(len(source))), key=lambda e: len(e.sentences))
    chosen = {
        shuffle: {
            ChooseTexts(tokenizer, 96, 1, shuffle)
            .random_map({"exam": exam}, np.random.default_rng(seed))["tokens"]
            .tobytes()
            for seed in range(8)
        }
        for shuffle in (True, False)
    }
    assert len(chosen[False]) == 1
    assert len(chosen[True]) > 2
