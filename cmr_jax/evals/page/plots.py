"""Plots of an evaluation as data URLs."""

import io
from typing import Any

import matplotlib
import numpy as np

from cmr_jax.evals.page.hearts import data_url

matplotlib.use("Agg")
from matplotlib import pyplot as plt

matplotlib.rcParams["text.parse_math"] = False  # names come from data
INK, ACCENT, MUTED, BLUE = "#1b2733", "#b3202c", "#8a97a3", "#2c6a9e"
CONTROLS = (("s", "header_metadata"), ("^", "mean_frame"))


def findings(block: dict[str, Any]) -> str:
    """AUC of every finding with its interval; learned from labels, and the baselines, beside it."""
    own = block["zero_shot"]["findings"]
    names = sorted(own, key=lambda f: own[f]["auc"]["value"])
    figure, axes = plt.subplots(figsize=(7.5, 0.36 * len(names) + 1.2))
    at = np.arange(len(names))
    _bars(axes, [own[f]["auc"] for f in names], at, ACCENT, "from words alone")
    learned = block.get("supervised", {}).get("logistic", {}).get("findings", {})
    _marks(axes, learned, names, "D", BLUE, "embeddings, with labels")
    for marker, name in CONTROLS:
        found = block.get("controls", {}).get(name, {}).get("findings", {})
        _marks(axes, found, names, marker, MUTED, f"{name.replace('_', ' ')}, with labels")
    axes.axvline(0.5, color=MUTED, linewidth=1, linestyle=":")
    axes.set_yticks(at, [f.replace("_", " ") for f in names])
    least = min(
        np.nanmin([[own[f]["auc"][k] for k in ("value", "low")] for f in names]) - 0.02, 0.3
    )
    axes.set_xlim(least, 1.01)
    axes.set_xlabel("AUC, 95 % interval by patient")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=8, frameon=False)
    return _png(figure)


def _bars(axes, blocks: list[dict[str, Any]], at: np.ndarray, color: str, label: str) -> None:
    value, low, high = (np.array([b[k] for b in blocks]) for k in ("value", "low", "high"))
    reach = np.nan_to_num(np.abs(np.stack([low, high]) - value))
    axes.errorbar(value, at, xerr=reach, fmt="o", color=color, label=label, capsize=3)


def _marks(axes, found: dict[str, Any], names: list[str], marker: str, color, label: str) -> None:
    known = [(found[f]["auc"]["value"], i) for i, f in enumerate(names) if f in found]
    if known:
        axes.plot(*zip(*known, strict=True), marker, color=color, fillstyle="none", label=label)


def recall(retrieval: dict[str, Any]) -> str:
    """Recall at k both ways, beside chance."""
    figure, axes = plt.subplots(figsize=(4.6, 3.0))
    for name, color in (("report_to_exam", ACCENT), ("exam_to_report", INK)):
        ks = [k for k in retrieval[name] if k.startswith("R@")]
        x = [int(k[2:]) for k in ks]
        value, low, high, chance = (
            [retrieval[name][k][part] for k in ks] for part in ("value", "low", "high", "chance")
        )
        axes.plot(x, value, "o-", color=color, label=name.replace("_", " "))
        axes.fill_between(x, low, high, color=color, alpha=0.12)
    axes.plot(x, chance, ":", color=MUTED, label="chance")
    axes.set_xscale("log")
    axes.set_xticks(x, [str(k) for k in x])
    axes.set_xlabel("k")
    axes.set_ylabel("recall at k")
    axes.legend(fontsize=8, frameon=False)
    return _png(figure)


def shots(few_shot: dict[str, Any], zero_shot: dict[str, Any]) -> str:
    """Mean AUC by number of known exams of either class."""
    figure, axes = plt.subplots(figsize=(4.6, 3.0))
    mean = few_shot["mean_auc"]
    x = [int(k) for k in mean]
    value, low, high = ([mean[k][part] for k in mean] for part in ("value", "low", "high"))
    axes.plot(x, value, "o-", color=BLUE, label="a few of each")
    axes.fill_between(x, low, high, color=BLUE, alpha=0.12)
    if "mean_auc" in zero_shot:
        axes.axhline(zero_shot["mean_auc"]["value"], color=ACCENT, label="from words alone")
    axes.axhline(0.5, color=MUTED, linewidth=1, linestyle=":")
    axes.set_xscale("log", base=2)
    axes.set_xticks(x, [str(k) for k in x])
    axes.set_xlabel("known exams with, and as many without, the finding")
    axes.set_ylabel("mean AUC")
    axes.legend(fontsize=8, frameon=False)
    return _png(figure)


def reliability(own: dict[str, Any]) -> str:
    """What was said and what was so: every finding thin, all together thick."""
    figure, axes = plt.subplots(figsize=(3.6, 3.4))
    axes.plot([0, 1], [0, 1], ":", color=MUTED)
    bars = [f["probability"]["reliability"] for f in own.values() if "probability" in f]
    for one in bars:
        axes.plot(*_points(one), color=INK, linewidth=0.6, alpha=0.35)
    every = sorted((b for one in bars for b in one), key=lambda b: b["said"])
    parts = np.array_split(np.arange(len(every)), min(10, len(every)))
    weight = [np.array([every[i]["n"] for i in part]) for part in parts]
    said, so = (
        [
            np.average([every[i][k] for i in p], weights=w)
            for p, w in zip(parts, weight, strict=True)
        ]
        for k in ("said", "so")
    )
    axes.plot(said, so, "o-", color=ACCENT)
    axes.set_xlabel("probability said")
    axes.set_ylabel("share that has it")
    return _png(figure)


def _points(bars: list[dict[str, float]]) -> tuple[list[float], list[float]]:
    return [b["said"] for b in bars], [b["so"] for b in bars]


def selective(own: dict[str, Any]) -> str:
    """How often answers are wrong where only the surest are given: every finding, and the mean."""
    figure, axes = plt.subplots(figsize=(3.6, 3.4))
    grid, curves = np.linspace(0.05, 1, 20), []
    for block in own.values():
        if curve := block.get("abstention", {}).get("curve"):
            x, y = ([c[k] for c in curve] for k in ("answered", "wrong"))
            axes.plot(x, y, color=INK, linewidth=0.6, alpha=0.35)
            curves.append(np.interp(grid, x, y))
    axes.plot(grid, np.mean(curves, 0), color=ACCENT)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("share answered, surest first")
    axes.set_ylabel("share of answers that are wrong")
    return _png(figure)


def agreement(name: str, truth: np.ndarray, predicted: np.ndarray, block: dict[str, Any]) -> str:
    """Bland-Altman: differences over means, with bias and limits."""
    known = np.isfinite(truth)
    truth, predicted = truth[known], predicted[known]
    figure, axes = plt.subplots(figsize=(3.6, 2.8))
    axes.plot((truth + predicted) / 2, predicted - truth, ".", color=INK, markersize=3, alpha=0.5)
    for key, style in (("bias", "-"), ("limit_low", "--"), ("limit_high", "--")):
        axes.axhline(block[key]["value"], color=ACCENT, linestyle=style, linewidth=1)
    axes.set_title(name.replace("_", " "), fontsize=9)
    axes.set_xlabel("mean of both", fontsize=8)
    axes.set_ylabel("predicted less true", fontsize=8)
    return _png(figure)


def groups(subgroups: dict[str, Any]) -> str:
    """Mean AUC of every group, attribute by attribute."""
    rows = [
        (f"{a.replace('_', ' ')}: {g} ({b['n']})", b, i)
        for i, (a, block) in enumerate(subgroups.items())
        for g, b in block["groups"].items()
    ][::-1]
    figure, axes = plt.subplots(figsize=(7.5, 0.3 * len(rows) + 0.9))
    for at, (_, block, attribute) in enumerate(rows):
        _bars(axes, [block], np.array([at]), (ACCENT, BLUE, INK, MUTED)[attribute % 4], "")
    axes.set_yticks(range(len(rows)), [row[0] for row in rows])
    axes.set_xlabel("mean AUC, 95 % interval by patient")
    return _png(figure)


def heat(rows: dict[str, dict[str, float]], what: str, shape: str = ".2f") -> str:
    """A table of shares or falls: findings by kinds of pictures."""
    columns = sorted({c for row in rows.values() for c in row})
    values = np.array([[row.get(c, 0.0) for c in columns] for row in rows.values()])
    figure, axes = plt.subplots(figsize=(0.95 * len(columns) + 2.6, 0.3 * len(rows) + 1.6))
    most = max(float(np.abs(values).max(initial=0)), 1e-6)
    axes.imshow(values, cmap="RdBu_r", vmin=-most, vmax=most, aspect="auto")
    axes.set_xticks(range(len(columns)), [c.replace(" ", "\n", 1) for c in columns], fontsize=8)
    axes.set_yticks(range(len(rows)), [r.replace("_", " ") for r in rows], fontsize=8)
    for (i, j), v in np.ndenumerate(values):
        color = "white" if abs(v) > 0.6 * most else INK
        axes.text(j, i, f"{v:{shape}}", ha="center", va="center", fontsize=7, color=color)
    axes.set_title(what, fontsize=9)
    return _png(figure)


def _png(figure) -> str:
    out = io.BytesIO()
    figure.tight_layout()
    figure.savefig(out, format="png", dpi=110, metadata={"Software": None})
    plt.close(figure)
    return data_url("image/png", out.getvalue())
