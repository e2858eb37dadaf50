"""Which transforms make a batch of an exam: of each layout, in training and in evaluation."""

import csv
import pathlib
from collections.abc import Sequence

from cmr_jax import config
from cmr_jax.config import Layout, Objective
from cmr_jax.data import published, targets
from cmr_jax.data.broken import BrokenRecord
from cmr_jax.data.replacement import Replacement, Replacing
from cmr_jax.data.sites import Source
from cmr_jax.data.source import Exam
from cmr_jax.data.texts import ChooseTexts, Opposites, group_of
from cmr_jax.data.transforms import Arrays, BorrowReport, ReadClip
from cmr_jax.tokenizer import Tokenizer


def for_training(
    source: Source, usable: Sequence[int], cfg: config.Experiment, tokenizer: Tokenizer
) -> list:
    """The transforms of training, in order."""
    data, seed = cfg.data, cfg.run.seed
    replacement = Replacement(source, usable, data.broken_share)
    read, *steps = pictures(source, data, train=True)
    steps = [Replacing(read, replacement), *steps]
    if data.permute_reports:
        steps.append(BorrowReport(source, seed, replacement))
    for added in (given := labels(cfg)):
        exams = (_readable(source, i) for i in usable)
        added.check(exam.exam_id for exam in exams if exam)
    return [*steps, texts(source, usable, cfg, tokenizer), *given, *said(cfg), Arrays()]


def for_evaluation(
    source: Source, cfg: config.Experiment, tokenizer: Tokenizer, groups: dict[int, int]
) -> list:
    """The transforms of evaluation: nothing random, the whole impression.  `groups`: see ChooseTexts."""
    steps = pictures(source, cfg.data, train=False)
    whole = ChooseTexts(
        tokenizer,
        cfg.model.text.length,
        1,
        shuffle=False,
        groups=groups,
        says=cfg.positives.reads_reports,
    )
    return [*steps, whole, *labels(cfg), *said(cfg), Arrays()]


def texts(
    source: Source, usable: Sequence[int], cfg: config.Experiment, tokenizer: Tokenizer
) -> ChooseTexts:
    """What of reports training reads."""
    data = cfg.data
    exams = (exam for i in usable if (exam := _readable(source, i)))
    return ChooseTexts(
        tokenizer,
        cfg.model.text.length,
        data.texts,
        data.shuffle_sentences,
        data.drop_sentences,
        shared_groups(source, data.groups),
        cfg.positives.reads_reports,
        data.rephrase,
        Opposites.of(exams) if data.untrue_text else None,
    )


def said(cfg: config.Experiment) -> list[targets.AddSaid]:
    """What adds findings and numbers that reports state, where heads learn to tell them."""
    model = cfg.model
    if cfg.objective is not Objective.CONTRASTIVE or not (model.outputs or model.numbers):
        return []
    return [targets.AddSaid(model.outputs, model.numbers)]


def labels(cfg: config.Experiment) -> list[targets.AddTargets]:
    """What adds labels, where they are what is learned from."""
    if cfg.objective is not Objective.SUPERVISED:
        return []
    return [targets.read(cfg.data.labels, cfg.model.outputs)]


def shared_groups(source: Source, path: str) -> dict[int, int]:
    """Of the impressions of the exams in a CSV: the group of the text, and the one it shares.

    Exams that are not in the file, but say the same, follow.  A ValueError where the file parts
    exams that do.  No path, no groups.
    """
    if not path:
        return {}
    given, shared = read_groups(path), {}
    for exam in filter(None, (_readable(source, i) for i in range(len(source)))):
        if exam.impression and exam.exam_id in given:
            text, group = group_of(exam.impression), group_of(f"given {given[exam.exam_id]}")
            if shared.setdefault(text, group) != group:
                raise ValueError(
                    f"data.groups {path} parts exams whose impressions say the same: "
                    f"{exam.exam_id} and one before it. Give them one group."
                )
    return shared


def read_groups(path: str) -> dict[str, str]:
    """Group by exam of a CSV with columns `exam_id` and `group`; an empty group is none.

    A ValueError for a file that is not there or lacks a column.
    """
    try:
        with pathlib.Path(path).open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            if missing := {"exam_id", "group"} - set(rows.fieldnames or ()):
                raise ValueError(
                    f"data.groups {path} has no column {' or '.join(sorted(missing))}."
                )
            return {row["exam_id"]: row["group"] for row in rows if row["group"]}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"data.groups {path} cannot be read as CSV: {error}.") from error


def pictures(source: Source, data: config.Data, train: bool) -> list:
    """From an index to a clip of pictures."""
    if data.clip.layout is Layout.PUBLISHED:
        resized = published.ResizePublished(data.clip, train and data.augment)
        return [published.ReadPublished(source, data.clip, train), resized]
    return [ReadClip(source, data.clip, train)]


def usable(source: Source, data: config.Data) -> Sequence[int]:
    """The exams that training may use: so many as data.most_exams says, which are among those of any
    larger number; and of them those that have every view of the published layout, where it or
    data.complete_only asks for that.

    One that cannot be read is among them: it is replaced, and counted, when its turn comes.
    """
    whole = data.complete_only or data.clip.layout is Layout.PUBLISHED
    if not whole and not data.most_exams:
        return range(len(source))
    exams = {i: _readable(source, i) for i in range(len(source))}
    # Pseudonyms are hashes: their order is chance, and the same wherever the exams lie.
    first = sorted(exams, key=lambda i: getattr(exams[i], "exam_id", ""))
    first = sorted(first[: data.most_exams or len(first)])
    return [i for i in first if not (whole and (e := exams[i]) and not published.is_complete(e))]


def _readable(source: Source, index: int) -> Exam | None:
    try:
        return source[index]
    except BrokenRecord:
        return None
