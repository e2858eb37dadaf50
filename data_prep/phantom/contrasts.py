"""Pictures beyond cine and LGE: the first pass of contrast, oedema on dark blood, maps in ms."""

import dataclasses

import numpy as np

from data_prep.phantom import tissue
from data_prep.phantom.acquisition import Scan, Scanner
from data_prep.phantom.anatomy import Heart
from data_prep.phantom.population import Scar, Subject, exam_rng
from data_prep.phantom.tissue import Contrast, Signals

FIRST_PASS_S = 45.0  # how long one looks
# Where in the cycle the three slices of one beat are taken, base first.
FIRST_PASS_PHASES = (0.12, 0.40, 0.68)
T1_NOISE_MS = 25.0
ISCHEMIC = (Scar.SUBENDOCARDIAL, Scar.TRANSMURAL)
# Stream of what only these contrasts show.
ACUTE_STREAM = 20


def is_acute(subject: Subject) -> bool:
    """Whether an infarct is days old, with oedema around it, rather than years."""
    rng = exam_rng(subject.seed, subject.index, ACUTE_STREAM)
    return subject.scar in ISCHEMIC and bool(rng.random() < 0.4)


def beats(rr_ms: float) -> np.ndarray:
    """Beats of a first pass, one picture of every slice in each."""
    return np.arange(max(30, round(FIRST_PASS_S * 1000 / rr_ms)))


def render(scanner: Scanner, scan: Scan, purpose: int) -> np.ndarray:
    """Pixels of any scan, uint16 (slices, phases, rows, columns); see `Scanner.render`.

    The phases of a first pass are beats; a T1 map holds ms.
    """
    subject = scanner.heart.subject
    if scan.contrast is Contrast.T2W and subject.scar is not Scar.NONE:
        return _with_oedema(scanner).render(scan, purpose)
    if scan.contrast is Contrast.T1MAP:
        clean = scanner.clean(scan, tissue.signals(scan.contrast, scan.tesla), scan.phases)
        rng = exam_rng(subject.seed, subject.index, purpose)
        noisy = clean + T1_NOISE_MS * rng.standard_normal(clean.shape, np.float32)
        return np.clip(noisy, 0, 4095).astype(np.uint16)
    if scan.contrast is Contrast.PERFUSION:
        return _first_pass(scanner, scan, purpose)
    return scanner.render(scan, purpose)


def _with_oedema(scanner: Scanner) -> Scanner:
    """The same heart as water shows it: all of an acute territory, nothing of an old scar."""
    subject = scanner.heart.subject
    if is_acute(subject):
        wet = dataclasses.replace(subject, scar=Scar.TRANSMURAL, scar_depth=1.0)
        return Scanner(Heart(wet), scanner.origin, scanner.through)
    # The heart keeps its shape, which an infarct had its part in; only its scar is not seen.
    heart = Heart(subject)
    heart.subject = dataclasses.replace(subject, scar=Scar.NONE)
    return Scanner(heart, scanner.origin, scanner.through)


def uptake(seconds: np.ndarray, rr_ms: float) -> dict[str, np.ndarray]:
    """Enhancement over a first pass at `seconds`, by tissue: right heart, left heart, wall, defect.

    Contrast crosses the lungs in some seven beats and reaches the wall two beats later.
    """
    beat = rr_ms / 1000
    right, left, wall = 4 * beat, 11 * beat, 13 * beat
    muscle = 1.2 * (1 - np.exp(-np.maximum(seconds - wall, 0) / (5 * beat)))
    return {
        "rv_blood": 4.4 * _bolus(seconds - right, 4 * beat),
        "blood": 4.0 * _bolus(seconds - left, 5 * beat),
        "myocardium": muscle,
        "defect": 0.25 * muscle,
    }


def _bolus(after: np.ndarray, peak: float) -> np.ndarray:
    """A gamma variate that peaks at 1 `peak` seconds after it came, and what comes round again."""
    x = np.maximum(after, 0) / peak
    return np.minimum((x * np.exp(1 - x)) ** 2 + 0.45 * (1 - np.exp(-x / 4)), 1.0)


def _first_pass(scanner: Scanner, scan: Scan, purpose: int) -> np.ndarray:
    subject = scanner.heart.subject
    rest = tissue.signals(scan.contrast, scan.tesla)
    scar = "defect" if subject.scar in ISCHEMIC else "myocardium"
    fed = {  # which signals rise together; the blood of amyloid keeps its ratio to that of others
        "rv_blood": ["rv_blood"],
        "blood": ["blood", "diffuse_blood"],
        "myocardium": ["myocardium", "diffuse"],
        "defect": [],
    }
    fed[scar].append("scar")
    curves = uptake(scan.phases * subject.rr_ms / 1000, subject.rr_ms)
    # A picture is linear in the signals, so that one rendering for each tissue is enough.
    before = _by_slice(scanner, scan, rest)
    video = np.repeat(before, len(scan.phases), 1)
    for name, fields in fed.items():
        if fields:
            raised = {k: getattr(rest, k) + 1.0 for k in fields}
            share = _by_slice(scanner, scan, dataclasses.replace(rest, **raised)) - before
            video += share * curves[name].astype(np.float32)[None, :, None, None]
    rng = exam_rng(subject.seed, subject.index, purpose)
    real, imaginary = scan.noise * rng.standard_normal((2, *video.shape), np.float32)
    return np.clip(160 * np.hypot(video + real, imaginary), 0, 4095).astype(np.uint16)


def _by_slice(scanner: Scanner, scan: Scan, table: Signals) -> np.ndarray:
    """Every slice at its own moment of the cycle, (slices, 1, rows, columns)."""
    return np.concatenate(
        [
            scanner.clean(dataclasses.replace(scan, planes=(plane,)), table, np.array([phase]))
            for plane, phase in zip(scan.planes, FIRST_PASS_PHASES, strict=True)
        ]
    )
