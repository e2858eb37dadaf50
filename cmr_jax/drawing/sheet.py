"""A contact sheet of what training does to pictures, made by what training runs.

Each option alone at a strong draw, then all together as they come; and which moments and slices
several draws of one exam read.
"""

import dataclasses
import functools
import itertools
import json
import pathlib
from typing import Any, NamedTuple

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from cmr_jax import augment, config, run_files
from cmr_jax.data import pipeline, recipes, sites
from cmr_jax.drawing import ACCENT, INK, MUTED
from cmr_jax.schema import Sequence, Stack, View
from cmr_jax.types import Float

ALONE = {  # options of config.Data, in plain words
    "rotate_deg": "turn",
    "zoom": "zoom",
    "shift": "shift",
    "gain": "scale of grey",
    "offset": "window level",
    "bias_field": "coil sensitivity",
    "noise": "noise",
}
EXAMS, DRAWS = 2, 3  # that are shown
TRIES = 32  # of which the one that changes most is the strong one
LOOKED_AT = 40  # exams, to find some that have every kind of picture
FILM = 8  # pictures of each draw
CHANGE = 0.2  # of grey: where the colours of a change end


class Shown(NamedTuple):
    """Pictures of one exam, and what each is of."""

    record: dict[str, Any]  # of the whole clip
    frames: list[int]
    names: list[str]


def config_of(workdir: pathlib.Path) -> config.Experiment:
    """The config that a run stored; a ValueError where there is none."""
    path = workdir / run_files.CONFIG_FILE
    if not path.is_file():
        raise ValueError(
            f"{workdir} holds no {run_files.CONFIG_FILE}. Name the --workdir of a run."
        )
    return config.from_json(json.loads(path.read_text()))


def draw(cfg: config.Experiment) -> Figure:
    """The sheet of a config and the data that it names."""
    source = sites.open_training(cfg.data)
    exams = _exams(source, cfg.data)
    columns = _columns(cfg, source, exams)
    rows = 1 + sum(len(exam.frames) for exam in exams)
    heights = [1.25 * rows + 0.7, 1.25 * DRAWS + 0.7]
    figure = Figure(figsize=(1.3 * len(columns) + 1.2, sum(heights)), layout="constrained")
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=heights).flat
    _grid(above, columns, [name for exam in exams for name in exam.names])
    _sampling(below, cfg, source, exams[0])
    return figure


def _exams(source: sites.Source, data: config.Data) -> list[Shown]:
    """The exams that have most kinds of pictures, of the first ones."""
    (read, *_), rng = recipes.pictures(source, data, train=False), np.random.default_rng(0)
    some = [_shown(read.random_map(i, rng)) for i in recipes.usable(source, data)[:LOOKED_AT]]
    return sorted(some, key=lambda exam: -len(exam.frames))[:EXAMS]


def _shown(record: dict[str, Any]) -> Shown:
    """A short-axis cine, a long-axis cine and an LGE picture, of those that there are."""
    c, there = record["coordinates"], record["frame_mask"]
    sax, cine = c["view"] == View.SAX, c["is_cine"]
    lge = np.isin(c["sequence"], (Sequence.LGE_PSIR, Sequence.LGE_MAG))
    kinds = {"short-axis cine": sax & cine, "long-axis cine": ~sax & cine, "LGE": lge}
    found = {name: np.flatnonzero(kind & there) for name, kind in kinds.items()}
    some = {name: int(at[len(at) // 2]) for name, at in found.items() if len(at)}
    return Shown(record, list(some.values()) or [0], list(some) or ["first picture"])


def _columns(
    cfg: config.Experiment, source: sites.Source, exams: list[Shown]
) -> dict[str, list[np.ndarray]]:
    """Titles, and of each a picture for every row."""

    def column(change: Any) -> list[np.ndarray]:
        return [picture for exam in exams for picture in change(exam)]

    still = _Training(cfg, source, train=False)
    columns = {"as stored\n": column(lambda exam: still.seen(exam, 1)[0])}
    for name, words in ALONE.items():
        value = getattr(cfg.data, name)
        if cfg.data.augment and value and cfg.data.clip.layout is config.Layout.STACKS:
            training = _Training(_alone(cfg, name), source)
            columns[f"{words}\n{name}={value:g}"] = column(
                lambda exam, t=training: t.strongest(exam, still)
            )
    training = _Training(cfg, source)
    for number in range(DRAWS):
        columns[f"all together\ndraw {number + 1}"] = column(
            lambda exam, n=number: training.seen(exam)[n]
        )
    return columns


def _alone(cfg: config.Experiment, option: str) -> config.Experiment:
    """The config with that option of the pictures switched on alone."""
    off = {name: type(getattr(cfg.data, name))(0) for name in ALONE if name != option}
    return dataclasses.replace(cfg, data=dataclasses.replace(cfg.data, **off))


class _Training:
    """The transforms of the loader, if it has any, then those of the step, of frames that were read."""

    def __init__(self, cfg: config.Experiment, source: sites.Source, train: bool = True):
        _, *self._moves = recipes.pictures(source, cfg.data, train)
        self._cfg, self._train = cfg, train
        self._step = jax.jit(functools.partial(augment.seen_in_training, cfg.data))

    def seen(self, exam: Shown, draws: int = TRIES) -> Float[np.ndarray, "d t h w"]:
        """The frames of an exam as the towers see them, in 0..1, draw after draw."""
        videos = []
        for number in range(draws):
            element = exam.record | {"video": exam.record["video"][exam.frames]}
            for move in self._moves:
                element = move.random_map(element, np.random.default_rng(number))
            videos.append(element["video"])
        video = np.stack(videos)
        batch = pipeline.example_batch(self._cfg, draws)._replace(
            video=video, frame_mask=np.ones(video.shape[:2], bool), row=np.arange(draws)
        )
        if self._train:
            batch = self._step(batch, jax.random.key(0))
        grey = np.asarray(batch.video, np.float32)[..., 0]
        return grey / 255 if batch.video.dtype == np.uint8 else grey

    def strongest(self, exam: Shown, still: "_Training") -> Float[np.ndarray, "t h w"]:
        """Of many draws the one that changes most."""
        drawn = self.seen(exam)
        change = np.abs(drawn - still.seen(exam, 1)).mean((1, 2, 3))
        return drawn[change.argmax()]


def _grid(figure: SubFigure, columns: dict[str, list[np.ndarray]], names: list[str]) -> None:
    """Rows of pictures; below the first, in colour, how it changed."""
    stored = next(iter(columns.values()))[0]
    grid = figure.subplots(1 + len(names), len(columns), squeeze=False)
    for (first, change, *others), (title, pictures) in zip(grid.T, columns.items(), strict=True):
        first.set_title(title, fontsize=9, color=INK)
        for axes, picture in zip([first, *others], pictures, strict=True):
            _picture(axes, picture)
        _picture(change, pictures[0] - stored, "RdBu_r", (-CHANGE, CHANGE))
    lines = [names[0], "its change,\nred: brighter", *names[1:]]
    for axes, line in zip(grid[:, 0], lines, strict=True):
        axes.set_ylabel(line, fontsize=9, color=INK)
    each = "each change alone, as strong as it gets; then all, as they come"
    _headline(figure, f"What training does to pictures: {each}")


def _picture(
    axes: Axes,
    picture: Float[np.ndarray, "h w"],
    colours: str = "gray",
    ends: tuple[float, float] = (0, 1),
) -> None:
    axes.imshow(picture, cmap=colours, vmin=ends[0], vmax=ends[1], interpolation="lanczos")
    axes.set_xticks([])
    axes.set_yticks([])


def _sampling(figure: SubFigure, cfg: config.Experiment, source: sites.Source, exam: Shown) -> None:
    """Of each draw of one exam: where a cine was read, among all that is stored, and its pictures."""
    read, *_ = recipes.pictures(source, cfg.data, train=True)
    grid = figure.subplots(DRAWS, FILM + 1, width_ratios=[2.5] + [1] * FILM, squeeze=False)
    for number, (plan, *film) in enumerate(grid):
        record = read.random_map(exam.record["index"], np.random.default_rng(number))
        c, cine = record["coordinates"], record["frame_mask"] & record["coordinates"]["is_cine"]
        sax = cine & (c["view"] == View.SAX)
        where = sax if sax.any() else cine
        _stored(
            plan, [s for s in record["exam"].stacks if s.is_cine and s.view in c["view"][where]]
        )
        plan.plot(100 * c["phase"][where], c["slice_mm"][where], "o", color=ACCENT, markersize=5)
        plan.set_ylabel(f"draw {number + 1}\nslice, mm", fontsize=9, color=INK)
        for axes, at in itertools.zip_longest(film, np.flatnonzero(where)[:FILM]):
            if at is None:
                axes.remove()
                continue
            _picture(axes, record["video"][at, ..., 0] / np.float32(255))
            axes.set_title(f"{c['slice_mm'][at]:+.0f} mm, {c['phase'][at]:.0%}", fontsize=8)
    grid[0, 0].set_title("read (blue), of what is stored", fontsize=9, color=INK)
    grid[-1, 0].set_xlabel("moment of the heartbeat, %", fontsize=9, color=INK)
    _headline(
        figure, "What three readings of one exam take: of the short-axis cine, where there is one"
    )


def _stored(axes: Axes, stacks: list[Stack]) -> None:
    for stack in stacks:
        for place, phases in zip(stack.slice_mm, stack.phases, strict=True):
            axes.plot(100 * np.array(phases), [place] * len(phases), ".", color=MUTED, markersize=3)
    axes.set_xlim(-3, 100)
    axes.tick_params(labelsize=7, colors=MUTED)
    axes.spines[["top", "right"]].set_visible(False)


def _headline(figure: SubFigure, text: str) -> None:
    figure.suptitle(text, color=INK, fontweight="bold", fontsize=11)
