"""The published CMR-CLIP (Nakashima 2026), number for number, as a baseline to beat.

    python -m cmr_jax.train --config=configs/cmr_clip_reference.py:900 --config.data.path=DIR \
        --config.data.vocabulary=vocab.txt --weights=vit_base_patch16_224.bin --weights=BERT_DIR --workdir=DIR

The number is that of training exams: an epoch's rate is held for its steps of 16 exams.  Known
weaknesses are kept: queries and keys of attention over frames start at zero and stay there, frames
are sampled alike in training and testing, hearts are flipped, equal reports are negatives of each
other.  Exams that lack one of six views are left out, and counted.  One exam costs 2.98 TFLOP
forward.  It is here for parity and imported weights; from its tests, not from a run on patients, we
know that it is the same.
"""

import math

from cmr_jax.config import Experiment, published

MOST_STEPS = 1250  # of an epoch: 20,000 samples


def get_config(arg: str = "") -> Experiment:
    """`arg`: how many exams there are to train on."""
    if arg and not arg.isdigit():
        raise ValueError(f"configs/cmr_clip_reference.py:{arg}: give the number of training exams.")
    exams = int(arg or published.BATCH * MOST_STEPS)
    return published.experiment(min(math.ceil(exams / published.BATCH), MOST_STEPS))
