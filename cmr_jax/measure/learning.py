"""Makes a measuring model: an ensemble trained on random hearts, its errors learned from others."""

import dataclasses
import json
import logging
from typing import Any

import numpy as np

from cmr_jax.measure import volumes
from cmr_jax.measure.measuring import Measurement, measure
from cmr_jax.phantom import PhantomExam, Source, Variant
from cmr_jax.phantom.tissue import Mask
from cmr_jax.segmentation.predict import Network, Predictor
from cmr_jax.segmentation.training import Training, train
from cmr_jax.segmentation.weights import MeasuringModel

log = logging.getLogger(__name__)

CALIBRATION_SEED = 1_000_003  # exams that no network learns from
CALIBRATION_EXAMS = 600
COVERAGE = 0.95
# Odds by which masks are weighed: the edges that random hearts give to the cavity are a little wide for
# people.  Chosen on 30 patients of ACDC (every second one); the other 30 agreed.
ODDS = (1.0, 1.0, 1.0, 0.4)
TRAINED_ON = "random hearts (cmr_jax.phantom); no patient"


def learn(run: Training, members: int, exams: int = CALIBRATION_EXAMS) -> MeasuringModel:
    """Trains `members` networks from seeds that follow on `run.seed`, and calibrates their intervals on
    `exams` phantoms that they never saw."""
    networks = []
    for member in range(members):
        log.info("network %d of %d", member + 1, members)
        params = train(dataclasses.replace(run, seed=run.seed + member))
        networks.append(
            Network(params, run.widths, run.sampling.size, run.variant.spacing, run.architecture)
        )
    return MeasuringModel(networks, calibrate(networks, run.variant, exams), about(run), ODDS)


def about(run: Training) -> dict[str, Any]:
    """How a model was made."""
    made = dataclasses.asdict(run) | {"trained_on": TRAINED_ON}
    return json.loads(json.dumps(made, default=lambda value: value.value))


def calibrate(
    networks: list[Network], variant: Variant, exams: int
) -> dict[str, tuple[float, float]]:
    """For each number `(offset, factor)`: value +- factor * (offset + spread) is a 95 % interval.

    Split conformal prediction (Lei 2018, JASA 113:1094) with errors relative to the ensemble's spread.
    """
    variant = dataclasses.replace(variant, pictures=1)
    predictor, source = Predictor(networks, odds=ODDS), Source(CALIBRATION_SEED, variant)
    errors: dict[str, list[float]] = {n: [] for n in volumes.NUMBERS}
    spreads: dict[str, list[float]] = {n: [] for n in volumes.NUMBERS}
    for index in range(exams):
        exam = source[index]
        if (found := measured(exam, predictor)) is None:
            continue
        true = truth(exam)
        for name in volumes.NUMBERS:
            errors[name].append(abs(getattr(found.function, name) - getattr(true, name)))
            spreads[name].append(found.spread[name])
    return {
        name: half_width(np.array(errors[name]), np.array(spreads[name]))
        for name in volumes.NUMBERS
    }


def half_width(error: np.ndarray, spread: np.ndarray) -> tuple[float, float]:
    """`(offset, factor)` such that `factor * (offset + spread)` is beyond 95 % of such errors."""
    fine = np.isfinite(error) & np.isfinite(spread)
    if not fine.any():
        raise ValueError("no phantom gave a number to learn an interval from; train for longer.")
    error, spread = error[fine], spread[fine]
    offset = float(max(np.median(error), 1e-6))
    score = np.sort(error / (offset + spread))
    rank = min(int(np.ceil(COVERAGE * (len(score) + 1))), len(score)) - 1
    return offset, float(score[rank])


def truth(exam: PhantomExam) -> volumes.Function:
    """Compute the true function of a phantom from its masks, slice by slice."""
    curves = exam.volumes_ml
    ed, es = curves[:, Mask.LV].argmax(), curves[:, Mask.LV].argmin()
    return volumes.function(curves[[ed, es]])


def measured(exam: PhantomExam, predictor: Predictor) -> Measurement | None:
    """Measure a phantom; None if there is nothing to be measured."""
    slices = exam.video.shape[1]
    slice_mm = -exam.pitch_mm * np.arange(slices)
    try:
        return measure(exam.video, (exam.spacing_mm, exam.spacing_mm), slice_mm, predictor)
    except ValueError:
        return None


def interval(model: MeasuringModel, found: Measurement, name: str) -> tuple[float, float]:
    """Return the ends of the 95 % interval of a number."""
    offset, factor = model.calibration[name]
    half, value = factor * (offset + found.spread[name]), getattr(found.function, name)
    most = 100.0 if name.endswith("percent") else np.inf
    # An ejection fraction may be negative where a ventricle was hardly seen.
    return min(max(value - half, 0.0), value), max(min(value + half, most), value)


def summary(model: MeasuringModel) -> str:
    """Summarise the errors of a model on unseen phantoms, for the terminal."""
    lines = [f"{len(model.networks)} networks; median error on unseen phantoms:"]
    lines += [f"  {name:14s} {offset:.1f}" for name, (offset, _) in model.calibration.items()]
    return "\n".join(lines)
