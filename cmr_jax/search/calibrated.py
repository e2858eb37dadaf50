"""Scores of findings as probabilities, answers, or none, as an index keeps what labels taught."""

import dataclasses
import json
import pathlib
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from cmr_jax import journal
from cmr_jax.evals.trust import calibration, conformal

CALIBRATION_FILE = "calibration.json"
LEVEL = 0.95


class Told(NamedTuple):
    """Of each exam: a probability with its 95 % interval, and 1 for yes, 0 for no, NaN for unsure."""

    probability: Float[np.ndarray, " n"]
    low: Float[np.ndarray, " n"]
    high: Float[np.ndarray, " n"]
    answer: Float[np.ndarray, " n"]


def spoken(answer: float) -> str:
    """An answer in a word."""
    return "unsure" if np.isnan(answer) else "yes" if answer else "no"


@dataclasses.dataclass(frozen=True)
class Calibrated:
    """Of one finding."""

    scaling: calibration.Scaling
    drawn: tuple[calibration.Scaling, ...]  # had other patients like these been known
    promise: conformal.Promise

    def __call__(self, score: Float[np.ndarray, " n"]) -> Told:
        """The interval is of what was learned, not of the exam."""
        likely = self.scaling(score)
        every = np.array([scaling(score) for scaling in self.drawn])
        ends = np.quantile(every, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
        answer = conformal.answers(self.promise, likely)
        return Told(likely, np.minimum(ends[0], likely), np.maximum(ends[1], likely), answer)

    def to_json(self) -> dict[str, Any]:
        """Plain values; an infinite threshold, which promises nothing, as null."""
        most = [float(x) if np.isfinite(x) else None for x in self.promise.most]
        return {
            "scaling": list(self.scaling),
            "drawn": [list(scaling) for scaling in self.drawn],
            "promise": {
                "most": most,
                "known": self.promise.known.tolist(),
                "level": self.promise.level,
            },
        }

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> "Calibrated":
        """The inverse of `to_json`."""
        promise = plain["promise"]
        most = np.array([np.inf if x is None else x for x in promise["most"]])
        return cls(
            calibration.Scaling(*plain["scaling"]),
            tuple(calibration.Scaling(*pair) for pair in plain["drawn"]),
            conformal.Promise(most, np.array(promise["known"]), promise["level"]),
        )


def likely(known: dict[str, Calibrated]) -> dict[str, calibration.Scaling]:
    """Probabilities alone, by finding, of scores."""
    return {name: one.scaling for name, one in known.items()}


class Learned(NamedTuple):
    """What the labels of some exams taught, and whose exams those were."""

    findings: dict[str, Calibrated]
    exams: int = 0
    sites: tuple[str, ...] = ()


def write(path: pathlib.Path, learned: Learned) -> None:
    """Into the folder of an index."""
    findings = {name: one.to_json() for name, one in learned.findings.items()}
    plain = json.dumps(learned._asdict() | {"findings": findings})
    journal.replace(path / CALIBRATION_FILE, plain.encode())


def read(path: pathlib.Path) -> Learned:
    """Of an index; of one that was never calibrated, nothing."""
    file = path / CALIBRATION_FILE
    if not file.exists():
        return Learned({})
    try:
        plain = json.loads(file.read_text())
        findings = {name: Calibrated.from_json(x) for name, x in plain["findings"].items()}
        return Learned(findings, int(plain["exams"]), tuple(map(str, plain["sites"])))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ValueError(f"{file} is damaged. Calibrate the index again.") from None
