"""Plots draw the numbers they are given; a moving heart shows the stacks it says."""

import base64
import io

import numpy as np
import pytest
from PIL import Image, ImageSequence

from cmr_jax.data.source import ExamSource
from cmr_jax.evals.page import hearts, plots
from cmr_jax.schema import View

AUC = {"lge": (0.7, 0.6, 0.8), "hcm": (0.9, 0.85, 0.95)}


def block(values):
    return {
        "findings": {
            f: {"auc": {"value": v, "low": low, "high": high}, "n_positive": 12}
            for f, (v, low, high) in values.items()
        }
    }


@pytest.fixture
def figures(monkeypatch):
    """The figures that plots are made from."""
    drawn = []
    monkeypatch.setattr(plots, "_png", lambda figure: drawn.append(figure) or "")
    return drawn


def test_every_finding_is_plotted_at_its_value_beside_the_baselines(figures):
    given = {
        "zero_shot": block(AUC),
        "controls": {"mean_frame": block({"lge": (0.55, 0.5, 0.6)})},
        "supervised": {"logistic": block({"hcm": (0.99, 0.9, 1.0)})},
    }
    plots.findings(given)
    (axes,) = figures[0].axes
    points, *_ = (c for c in axes.containers if c.get_label() == "from words alone")
    line, _, (bars,) = points.lines
    np.testing.assert_allclose(line.get_xdata(), [0.7, 0.9])  # the weakest at the bottom
    ends = [segment[:, 0].tolist() for segment in bars.get_segments()]
    np.testing.assert_allclose(ends, [[0.6, 0.8], [0.85, 0.95]])
    assert [t.get_text() for t in axes.get_yticklabels()] == ["lge", "hcm"]
    found = {x.get_label(): (list(x.get_xdata()), list(x.get_ydata())) for x in axes.lines}
    assert found["mean frame, with labels"] == ([0.55], [0])
    assert found["embeddings, with labels"] == ([0.99], [1])


def test_recall_is_plotted_both_ways_beside_chance(figures):
    def way(value):
        return {
            f"R@{k}": {"value": value * k, "low": 0.0, "high": 1.0, "chance": k / 100}
            for k in (1, 5)
        } | {"MedR": {"value": 3.0, "low": 1.0, "high": 5.0, "chance": 50.5}}

    given = {"report_to_exam": way(0.1), "exam_to_report": way(0.2)}
    plots.recall(given)
    (axes,) = figures[0].axes
    found = {x.get_label(): (list(x.get_xdata()), list(x.get_ydata())) for x in axes.lines}
    assert found["report to exam"] == ([1, 5], [0.1, 0.5])
    assert found["exam to report"] == ([1, 5], [0.2, 1.0])
    assert found["chance"] == ([1, 5], [0.01, 0.05])


def test_a_heart_is_the_middle_slice_of_each_view_moving(tiny, monkeypatch):
    source = ExamSource(str(tiny), "train")
    exam = next(
        e
        for e in (source[i] for i in range(len(source)))
        if any(s.view is View.CH4 and s.is_cine for s in e.stacks)
    )
    for view, cine in ((View.CH4, True), (View.SAX, True)):
        stack = next(s for s in exam.stacks if s.view is view and s.is_cine == cine)
        stored = source.frames(stack, len(stack.slice_mm) // 2)
        monkeypatch.setattr(hearts, "SHOWN", ((view, cine),))
        url = hearts.heart(source, exam, zoom=1)
        assert url is not None
        moving = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
        shown = [np.asarray(p.convert("L"), float) for p in ImageSequence.Iterator(moving)]
        assert len(shown) == len(stored)
        for a, b in zip(shown, stored, strict=True):
            assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.97
    monkeypatch.setattr(hearts, "SHOWN", ((View.RVOT, True),))
    assert hearts.heart(source, exam) is None
