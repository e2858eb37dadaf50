"""Plots and moving hearts as data URLs, so that a page needs nothing beside it."""

import base64
import io
from typing import Any

import matplotlib
import numpy as np
from PIL import Image

from cmr_jax.data.source import Exam, ExamSource
from cmr_jax.schema import Sequence, View

matplotlib.use("Agg")
from matplotlib import pyplot as plt

FRAME_MS = 90
SHOWN = ((View.SAX, True), (View.CH4, True), (View.SAX, False), (View.CH4, False))
INK, ACCENT, MUTED = "#1b2733", "#b3202c", "#8a97a3"


def data_url(mime: str, data: bytes) -> str:
    """A `data:` URL."""
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def heart(source: ExamSource, exam: Exam, zoom: int = 2) -> str | None:
    """One exam side by side as a moving WebP: short axis, four chambers, and their LGE."""
    columns = [
        video for view, cine in SHOWN if (video := _video(source, exam, view, cine)) is not None
    ]
    if not columns:
        return None
    length = max(len(video) for video in columns)
    size = max(video.shape[1] for video in columns)
    zoom = max(1, min(zoom, 256 // size))
    pictures = []
    for t in range(length):
        row = [
            np.pad(v[t * len(v) // length], ((0, size - v.shape[1]), (0, size - v.shape[2])))
            for v in columns
        ]
        picture = Image.fromarray(np.concatenate(row, 1))
        pictures.append(
            picture.resize((picture.width * zoom, picture.height * zoom), Image.Resampling.BICUBIC)
        )
    out = io.BytesIO()
    pictures[0].save(
        out,
        "WEBP",
        save_all=True,
        append_images=pictures[1:],
        duration=FRAME_MS,
        loop=0,
        quality=70,
    )
    return data_url("image/webp", out.getvalue())


def _video(source: ExamSource, exam: Exam, view: View, cine: bool) -> np.ndarray | None:
    wanted = (Sequence.CINE,) if cine else (Sequence.LGE_PSIR, Sequence.LGE_MAG)
    stacks = [s for s in exam.stacks if s.view is view and s.sequence in wanted]
    if not stacks:
        return None
    return source.frames(stacks[0], len(stacks[0].slice_mm) // 2)


def auc_plot(zero_shot: dict[str, Any], controls: dict[str, Any]) -> str:
    """AUC of every finding with its interval; the supervised baselines beside it."""
    findings = sorted(zero_shot["findings"], key=lambda f: zero_shot["findings"][f]["auc"]["value"])
    figure, axes = plt.subplots(figsize=(7.5, 0.36 * len(findings) + 1.2))
    at = np.arange(len(findings))
    auc = [zero_shot["findings"][f]["auc"] for f in findings]
    value = np.array([a["value"] for a in auc])
    error = np.abs(np.array([[a["low"] for a in auc], [a["high"] for a in auc]]) - value)
    axes.errorbar(value, at, xerr=error, fmt="o", color=ACCENT, label="zero-shot", capsize=3)
    for marker, name in (("s", "header_metadata"), ("^", "mean_frame")):
        if name in controls:
            block = controls[name]["findings"]
            known = [i for i, f in enumerate(findings) if f in block]
            points = [block[findings[i]]["auc"]["value"] for i in known]
            label = f"{name.replace('_', ' ')} (supervised)"
            axes.plot(points, known, marker, color=MUTED, fillstyle="none", label=label)
    axes.axvline(0.5, color=MUTED, linewidth=1, linestyle=":")
    axes.set_yticks(at, [f.replace("_", " ") for f in findings])
    axes.set_xlim(0.3, 1.01)
    axes.set_xlabel("AUC, 95 % interval by patient")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=8, frameon=False)
    return _png(figure)


def recall_plot(retrieval: dict[str, Any]) -> str:
    """Recall at k both ways, beside chance."""
    figure, axes = plt.subplots(figsize=(4.6, 3.0))
    for name, color in (("report_to_exam", ACCENT), ("exam_to_report", INK)):
        ks = [k for k in retrieval[name] if k.startswith("R@")]
        x = [int(k[2:]) for k in ks]
        axes.plot(
            x,
            [retrieval[name][k]["value"] for k in ks],
            "o-",
            color=color,
            label=name.replace("_", " "),
        )
        axes.fill_between(
            x,
            [retrieval[name][k]["low"] for k in ks],
            [retrieval[name][k]["high"] for k in ks],
            color=color,
            alpha=0.12,
        )
    axes.plot(x, [retrieval[name][k]["chance"] for k in ks], ":", color=MUTED, label="chance")
    axes.set_xscale("log")
    axes.set_xticks(x, [str(k) for k in x])
    axes.set_xlabel("k")
    axes.set_ylabel("recall at k")
    axes.legend(fontsize=8, frameon=False)
    return _png(figure)


def _png(figure) -> str:
    out = io.BytesIO()
    figure.tight_layout()
    figure.savefig(out, format="png", dpi=110, metadata={"Software": None})
    plt.close(figure)
    return data_url("image/png", out.getvalue())
