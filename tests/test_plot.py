"""Pictures of a run: what is in the file is drawn and told, what is broken or missing is one line."""

import json

import jax
import numpy as np
import pytest
from PIL import Image

from cmr_jax import augment, config
from cmr_jax.data.source import ExamSource
from cmr_jax.drawing import curves, history, sheet
from cmr_jax.journal import Journal, forget_after
from cmr_jax.models import dropping
from tests.conftest import run, tiny_config

ALL = [f"train/{name}" for name in ("loss", "accuracy", "scale", "lr")]
ALL += ["train/spread_video", "train/spread_text", "val/loss"]
ALL += ["val/report_to_exam/R@5", "val/report_to_exam/MedR"]
ALL += ["opt/grad_norm", *(f"opt/grad_norm/{tower}" for tower in ("video", "text", "shared"))]
ALL += ["opt/update_norm", "opt/update_norm/video"]
ALL += ["time/exams_per_s", "time/wait_share", "time/mfu", "memory/host_mb", "memory/device_mb"]
pytestmark = pytest.mark.usefixtures("hasty")

BROKEN = '{"step": 41, "train/lo'


def write(folder, lines, end=""):
    folder.mkdir(exist_ok=True)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / history.FILE).write_text(text + end)
    return folder


def told(names, steps=range(1, 41)):
    return [{"step": s} | dict.fromkeys(names, 1 + s / 100) for s in steps]


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes]


def test_everything_a_run_tells_has_its_panel(tmp_path):
    found = history.read(write(tmp_path / "a", told(ALL), BROKEN), "a")
    figure = curves.draw([found])
    assert titles(figure) == [panel.title for panel in curves.PANELS]
    drawn = [line.get_label() for axes in figure.axes for line in axes.get_legend().get_lines()]
    assert len(drawn) == len(ALL)
    assert "validation: 1.4" in drawn
    norms = figure.axes[titles(figure).index("Size of the gradient")]
    names = {text.get_text().split(":")[0] for text in norms.get_legend().get_texts()}
    assert names == {"all", "video", "text", "shared"}


def test_panels_without_numbers_are_left_out(tmp_path):
    old = told(["train/loss", "train/grad_norm", "time/exams_per_s"])
    figure = curves.draw([history.read(write(tmp_path / "a", old), "a")])
    assert titles(figure) == ["Loss (less is better)", "Size of the gradient", "Speed"]


def test_a_line_is_drawn_through_what_was_told(tmp_path):
    figure = curves.draw([history.read(write(tmp_path / "a", told(["train/loss"])), "a")])
    raw, _ = figure.axes[0].lines
    np.testing.assert_allclose(raw.get_xdata(), np.arange(1, 41))
    np.testing.assert_allclose(raw.get_ydata(), 1 + np.arange(1, 41) / 100)
    assert raw.get_alpha() < 0.5


def test_smoothing_keeps_a_level_and_quiets_noise():
    noise = np.random.default_rng(0).normal(size=600)
    np.testing.assert_allclose(history.smooth(np.full(600, 3.0)), 3)
    assert history.smooth(noise).std() < 0.35 * noise.std()
    few = noise[:20]
    assert history.smooth(few) is few


def test_runs_over_one_another_differ_by_colour(tmp_path):
    runs = [
        history.read(write(tmp_path / n, told(["train/loss", "val/loss"])), n) for n in ("a", "b")
    ]
    figure = curves.draw(runs)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b"]
    lines = [line for line in figure.axes[0].lines if line.get_alpha() is None]
    of_a, of_b = ({line.get_color() for line in some} for some in (lines[:2], lines[2:]))
    assert len(of_a) == len(of_b) == 1
    assert of_a != of_b
    assert len({line.get_linestyle() for line in lines[:2]}) == 2


def test_where_a_run_went_on_is_marked(tmp_path):
    with Journal(tmp_path, 0) as first:
        for line in told(["train/loss"], range(1, 11)):
            first.write(line.pop("step"), line)
    forget_after(tmp_path, 6)
    with Journal(tmp_path, 6) as again:
        for line in told(["train/loss"], range(7, 10)):
            again.write(line.pop("step"), line)
    found = history.read(tmp_path, "a")
    assert found.restarts == (6,)
    assert list(found.series) == ["train/loss"]
    assert list(found.series["train/loss"].steps) == list(range(1, 10))
    marks = [line for line in curves.draw([found]).axes[0].lines if line.get_linestyle() == ":"]
    assert [line.get_xdata()[0] for line in marks] == [6]


def test_what_is_no_number_is_left_out(tmp_path):
    lines = [{"step": 1, "train/loss": float("nan"), "note": "x"}, {"step": 2, "train/loss": 2}]
    found = history.read(write(tmp_path / "a", lines, '[1]\n{"train/loss": 1}\n\n'), "a")
    assert {k: list(s.values) for k, s in found.series.items()} == {"train/loss": [2]}


def test_memory_grows_by_its_slope_whatever_single_jumps_do():
    steps = np.arange(10.0, 20_001, 10)
    rng = np.random.default_rng(0)
    values = 1000 + 0.02 * steps + rng.normal(0, 30, len(steps))
    values[steps < 2000] = 300  # it starts small
    values[::37] += 4000
    assert history.slope_per_1000(history.Series(steps, values)) == pytest.approx(20, abs=0.4)
    assert history.slope_per_1000(history.Series(steps[:2], values[:2])) is None


def test_the_command_draws_and_tells_the_last_the_best_and_the_growth(tmp_path):
    lines = told(["train/loss"])
    for line, loss in zip(lines[9::10], (3.0, 1.5, 2.0, 2.5), strict=True):
        line["val/loss"] = loss
    for line in lines:
        line["memory/host_mb"] = 1000 + 0.5 * line["step"]
    a = write(tmp_path / "a", lines, BROKEN)
    b = write(tmp_path / "b", told(ALL))
    said = run("cmr_jax.plot", str(a), str(b), f"--out={tmp_path}/new").stdout
    assert "a: step 40; host memory +500.0 MB per 1000 steps" in said
    assert "val/loss 2.5, best 1.5 at step 20" in said
    assert "b: step 40" in said
    with Image.open(tmp_path / "new" / "curves.png") as picture:
        assert picture.width > 1000


@pytest.fixture
def command():
    """The command in this process, where starting costs nothing."""
    from cmr_jax import plot

    yield lambda *workdirs, sheet: (
        setattr(plot.flags.FLAGS, "sheet", sheet),
        plot.main(["plot", *map(str, workdirs)]),
    )
    plot.flags.FLAGS["sheet"].unparse()


@pytest.mark.parametrize(
    ("make", "workdirs", "drawn", "says"),
    [
        (lambda w: None, 0, "curves", "say which run"),
        (lambda w: None, 1, "curves", "Name a run's --workdir"),
        (lambda w: write(w / "seed0", told(["train/loss"])), 1, "curves", "a run in it: seed0"),
        (lambda w: write(w, [], BROKEN), 1, "curves", "no numbers yet"),
        (lambda w: write(w, [{"step": 1, "odd": 1}]), 1, "curves", "nothing to draw"),
        (lambda w: None, 1, "sheet", "no config.json"),
        (lambda w: None, 2, "sheet", "name one workdir"),
    ],
    ids=["none", "empty folder", "folder of runs", "empty file", "unknown", "sheet", "sheets"],
)
def test_what_cannot_be_drawn_is_one_line_with_a_way_out(
    tmp_path, capsys, command, make, workdirs, drawn, says
):
    make(tmp_path)
    with pytest.raises(SystemExit) as ended:
        command(*[tmp_path] * workdirs, sheet=drawn == "sheet")
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("cmr_jax.plot: ")
    assert says in said
    assert said.count("\n") == 1


def test_a_sheet_needs_but_a_stored_config(tiny, tmp_path, command):
    (tmp_path / "config.json").write_text(json.dumps(config.to_json(tiny_config(tiny))))
    command(tmp_path, sheet=True)
    with Image.open(tmp_path / "augmentation.png") as picture:
        assert np.asarray(picture.convert("L")).std() > 30


def test_a_sheet_shows_each_option_and_what_training_makes(tiny, smoke):
    smoke.data.zoom, smoke.data.offset = 0.0, 0.0  # what is off has no column
    source = ExamSource(str(tiny), "train")
    exams = sheet._exams(source, smoke.data)
    assert exams[0].names == ["short-axis cine", "long-axis cine", "LGE"]
    columns = sheet._columns(smoke, source, exams)
    values = [title.partition("\n")[2] for title in columns]
    alone = ["rotate_deg=10", "shift=2", "gain=0.15", "bias_field=0.2", "noise=0.02"]
    assert values == ["", *alone, "draw 1", "draw 2", "draw 3"]
    stored = [
        record["video"][at, ..., 0] / np.float32(255) for record, ats, _ in exams for at in ats
    ]
    np.testing.assert_allclose(columns["as stored\n"], stored, atol=1e-6)
    first, second, third = (columns[f"all together\ndraw {n}"] for n in (1, 2, 3))
    assert np.abs(np.array(first) - second).max() > 0.05 < np.abs(np.array(second) - third).max()


def test_the_strong_draw_is_one_of_trainings_own(tiny, smoke):
    """Through the loader's transforms and the step's, with that option alone."""
    source = ExamSource(str(tiny), "train")
    exam, *_ = sheet._exams(source, smoke.data)
    smoke = sheet._alone(smoke, "gain")
    assert [name for name in sheet.ALONE if getattr(smoke.data, name)] == ["gain"]
    still = sheet._Training(smoke, source, train=False)
    training = sheet._Training(smoke, source)
    shown, drawn = training.strongest(exam, still), training.seen(exam)
    assert any(np.array_equal(shown, one) for one in drawn)
    far = np.abs(drawn - still.seen(exam, 1)).mean((1, 2, 3))
    assert np.abs(shown - still.seen(exam, 1)[0]).mean() == pytest.approx(far.max())
    assert not training._moves  # of the loader: it has none in this layout
    pictures = exam.record["video"][exam.frames]
    keys = dropping.keys_of(jax.random.fold_in(jax.random.key(0), augment.OWN), np.array([5]))
    expected = augment.pictures(smoke.data, pictures[None], np.ones((1, len(pictures)), bool), keys)
    np.testing.assert_allclose(drawn[5], expected[0, ..., 0], atol=1e-6)
