"""The published CMR-CLIP as options (Nakashima 2026; code Makiya11/CMRCLIP at 4dd42e8).

Nothing here is a second implementation: each line gives an option the value that the published
code has.  What it does differently from the defaults is a consequence of these values.
"""

from cmr_jax.config.model import (
    Activation,
    FrameCode,
    Head,
    Model,
    NormPlace,
    Padding,
    Pool,
    Remat,
    Residual,
    TextTower,
    TimeInit,
    VideoTower,
)
from cmr_jax.config.options import (
    Clip,
    Contrast,
    Data,
    Experiment,
    Layout,
    Optim,
    Optimizer,
    Positives,
    Run,
)

EPOCHS, WARMUP_EPOCHS = 100, 10
BATCH = 16
IMAGENET_MEAN, IMAGENET_SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# NormSoftmaxLoss divides similarities by this.
TEMPERATURE = 0.05
# The loss's temperature is not learned, and nothing reads BERT's pooler.
FROZEN = r"logit_(scale|bias)|text/pooler/.*"


def model() -> Model:
    """Space-time ViT-B/16 of 64 frames and BERT-base."""
    return Model(
        video=VideoTower(
            width=768,
            depth=12,
            heads=12,
            patch=16,
            residual=Residual.FROZEN_IN_TIME,
            time_init=TimeInit.ZEROS,
            pool=Pool.CLS,
            frame_code=FrameCode.INDEX,
            index_frames=64,
            padding=Padding.GREY,
            activation=Activation.GELU,
            epsilon=1e-6,
            pixel_mean=IMAGENET_MEAN,
            pixel_spread=IMAGENET_SPREAD,
        ),
        text=TextTower(
            width=768,
            depth=12,
            heads=12,
            vocabulary=28_996,
            length=512,
            positions=512,
            segments=2,
            pooler=True,
            norm=NormPlace.POST,
            activation=Activation.GELU,
            epsilon=1e-12,
            dropout=0.1,
            attention_dropout=0.1,
        ),
        embedding=512,
        head=Head.RELU_LINEAR,
        initial_scale=1 / TEMPERATURE,
        remat=Remat.DOTS,  # changes no number
    )


def experiment(steps_per_epoch: int) -> Experiment:
    """The published training run; its rate is held for an epoch of `steps_per_epoch` steps."""
    return Experiment(
        model=model(),
        data=Data(
            batch=BATCH,
            clip=Clip(layout=Layout.PUBLISHED, size=224, sampled=64, enlarged=256),
            texts=1,
            shuffle_sentences=False,
        ),
        optim=Optim(
            kind=Optimizer.TRANSFORMERS,
            lr=3e-5,
            lr_start=1e-5,
            warmup_steps=WARMUP_EPOCHS * steps_per_epoch,
            steps=EPOCHS * steps_per_epoch,
            hold=steps_per_epoch,
            weight_decay=1e-5,
            decay_all=True,
            frozen=FROZEN,
            b1=0.9,
            b2=0.999,
            eps=1e-6,
            clip_norm=0.0,
        ),
        run=Run(log_every=20, save_every=steps_per_epoch, eval_every=steps_per_epoch),
        contrast=Contrast(sum_directions=True),
        positives=Positives.SELF,
    )
