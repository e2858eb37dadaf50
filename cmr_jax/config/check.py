"""What types cannot check, before anything starts."""

import re

from cmr_jax.config.model import AttentionKind, Pool, Precision
from cmr_jax.config.options import Data, Experiment, Objective
from cmr_jax.schema import View

VIDEO_SHARES = ("dropout", "frame_dropout", "patch_dropout")
TEXT_SHARES = ("dropout", "attention_dropout")
DATA_SHARES = (
    "drop_sentences",
    "rephrase",
    "view_dropout",
    "hidden",
    "zoom",
    "gain",
    "offset",
    "bias_field",
    "noise",
)
MOST_TURN = 45  # degrees: beyond, up is no longer up


def validate(config: Experiment) -> None:
    """Raises ValueError with the option, the reason and the way out."""
    video, text, clip = config.model.video, config.model.text, config.data.clip
    for name, tower in (("video", video), ("text", text)):
        if tower.width % tower.heads:
            raise ValueError(
                f"model.{name}.width {tower.width} does not divide by its {tower.heads} heads."
            )
    if clip.size % video.patch:
        raise ValueError(
            f"data.clip.size {clip.size} does not divide by model.video.patch {video.patch}."
        )
    shares = {f"model.video.{n}": getattr(video, n) for n in VIDEO_SHARES}
    shares |= {f"model.text.{n}": getattr(text, n) for n in TEXT_SHARES}
    shares |= {f"data.{n}": getattr(config.data, n) for n in DATA_SHARES}
    shares["optim.ema"] = config.optim.ema
    for name, value in shares.items():
        if not 0 <= value < 1:
            raise ValueError(f"{name} is {value}; it is a share below 1.")
    if config.model.unroll < 0:
        raise ValueError(f"model.unroll is {config.model.unroll}; 0 lays all layers out.")
    fused, wide = AttentionKind.CUDNN, Precision.FLOAT32
    if config.model.attention is fused and config.model.precision is wide:
        raise ValueError("model.attention=cudnn needs model.precision=bfloat16.")
    unknown = [v for v in clip.views if v not in View.__members__]
    if unknown:
        raise ValueError(
            f"data.clip.views has {unknown}. There are: {', '.join(View.__members__)}."
        )
    positive = {
        "data.batch": config.data.batch,
        "data.texts": config.data.texts,
        "data.threads": config.data.threads,
        "optim.steps": config.optim.steps,
        "optim.hold": config.optim.hold,
        "contrast.chunk": config.contrast.chunk,
        "run.log_every": config.run.log_every,
        "run.save_every": config.run.save_every,
        "run.keep": config.run.keep,
        "run.eval_exams": config.run.eval_exams,
        "data.clip.frames": clip.frames,
    }
    for name, value in positive.items():
        if value < 1:
            raise ValueError(f"{name} is {value}; it must be at least 1.")
    _check_sites(config.data)
    _check_moves(config.data)
    for name in ("keep_best", "eval_every", "skip_nonfinite", "stop_after"):
        if getattr(config.run, name) < 0:
            raise ValueError(f"run.{name} is {getattr(config.run, name)}; 0 is the least.")
    if config.data.most_exams < 0:
        raise ValueError(f"data.most_exams is {config.data.most_exams}; 0 takes all.")
    if config.data.batch < 2:
        raise ValueError("data.batch is 1: a contrastive batch needs at least 2 exams.")
    _check_objective(config)
    if video.registers < 0:
        raise ValueError(f"model.video.registers is {video.registers}; 0 has none.")
    for name in ("findings", "numbers"):
        if getattr(config.contrast, name) < 0:
            raise ValueError(f"contrast.{name} is negative; 0 leaves it out.")
    if config.contrast.ignore_unsaid and not config.positives.reads_reports:
        raise ValueError(
            "contrast.ignore_unsaid is for positives=said or sentences: else nobody reads reports."
        )
    if config.data.micro_batch < 0 or config.data.batch % (config.data.micro_batch or 1):
        raise ValueError(
            f"data.micro_batch {config.data.micro_batch} does not divide data.batch "
            f"{config.data.batch}; 0 takes all at once."
        )
    if not 0 < config.optim.layer_decay <= 1:
        raise ValueError(
            f"optim.layer_decay is {config.optim.layer_decay}; it is a share, up to 1."
        )
    if len(video.pixel_mean) != len(video.pixel_spread):
        raise ValueError(
            "model.video.pixel_mean and pixel_spread need one number per channel each."
        )
    if text.positions and text.positions < text.length:
        raise ValueError(
            f"model.text.length is {text.length}, but model.text.positions only {text.positions}."
        )
    for name in ("frozen", "averaged"):
        try:
            re.compile(getattr(config.optim, name))
        except re.error as error:
            raise ValueError(f"optim.{name} is not a regular expression: {error}.") from None


def _check_objective(config: Experiment) -> None:
    """What is learned from labels, and that it is said."""
    supervised = config.objective is Objective.SUPERVISED
    if supervised and not (config.model.outputs and config.data.labels):
        raise ValueError(
            "objective=supervised needs data.labels, a CSV of exam_id and findings, and "
            "model.outputs, the findings to learn: --config.model.outputs=\"('lge', 'hcm')\"."
        )
    if config.data.labels and not supervised:
        raise ValueError("data.labels are for objective=supervised: nothing else may see labels.")
    masked = config.objective is Objective.MASKED_FRAMES
    video = config.model.video
    if masked and (not video.restores or video.pool is Pool.CLS):
        raise ValueError(
            "objective=masked_frames needs model.video.restores=True and a pool other than cls."
        )
    if masked and (video.frame_dropout or video.patch_dropout):
        raise ValueError("objective=masked_frames hides places itself: leave dropout of them at 0.")
    told = supervised or masked
    if told and not re.fullmatch(config.optim.frozen, "text/any"):
        raise ValueError(
            f"objective={config.objective.value} does not teach the text tower, and decay would wear it away. "
            "Let it rest: --config.optim.frozen='text/.*|logit_.*'."
        )


def _check_moves(data: Data) -> None:
    if not 0 <= data.rotate_deg <= MOST_TURN:
        raise ValueError(f"data.rotate_deg is {data.rotate_deg}; it is 0 to {MOST_TURN} degrees.")
    if not 0 <= data.shift < data.clip.size / 2:
        raise ValueError(
            f"data.shift is {data.shift}; it is 0 or more, and below half of data.clip.size "
            f"{data.clip.size}."
        )


def _check_sites(data: Data) -> None:
    if data.path and data.paths:
        raise ValueError("data.path and data.paths are both given. Say all folders in data.paths.")
    if joined := next((path for path in data.paths if "," in path), ""):
        apart = tuple(joined.split(","))
        raise ValueError(f'data.paths has {joined}. Say it as --config.data.paths="{apart}".')
    if len(set(data.paths)) < len(data.paths):
        raise ValueError(f"data.paths names a folder twice: {', '.join(data.paths)}.")
    if data.shares and len(data.shares) != len(data.paths):
        raise ValueError(
            f"data.shares has {len(data.shares)} numbers for {len(data.paths)} data.paths. "
            "Give one for each, or none: then their numbers of exams decide."
        )
    if not all(share > 0 for share in data.shares):
        raise ValueError(f"data.shares are {data.shares}; each must be above 0. Leave a path out.")
    if not 0 <= data.broken_share < 1:
        raise ValueError(f"data.broken_share is {data.broken_share}; it is a share below 1.")
