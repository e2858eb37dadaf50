"""The exams of one split as a model sees them, and what is true of them."""

import dataclasses

import numpy as np

from cmr_jax import metrics
from cmr_jax.data.source import Exam
from cmr_jax.embedding import Model, check_finite
from cmr_jax.evals import labels
from cmr_jax.evals.labels import Labels
from cmr_jax.evals.statistics.resamples import Resamples


@dataclasses.dataclass(frozen=True)
class Cohort:
    """Rows are exams; `resamples` are of their patients."""

    name: str
    path: str
    split: str
    exams: list[Exam]
    video: np.ndarray  # n e, unit length
    text: np.ndarray  # n e, unit length
    labels: Labels
    resamples: Resamples
    head: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)  # of a model that has one

    def __len__(self) -> int:
        return len(self.exams)

    @property
    def patients(self) -> int:
        """How many."""
        return len(np.unique(self.resamples.patient))

    @property
    def paired(self) -> np.ndarray:
        """Rows of the exams that have an impression."""
        return np.flatnonzero([bool(e.impression) for e in self.exams])

    @property
    def first_exams(self) -> np.ndarray:
        """A row for each patient: that of the first exam."""
        return np.unique(self.resamples.patient, return_index=True)[1]

    def with_video(self, video: np.ndarray) -> "Cohort":
        """The same exams, seen otherwise."""
        return dataclasses.replace(self, video=metrics.normalise(video))


def embed(
    model: Model, name: str, path: str, split: str, draws: int, seed: int, labelled: bool = True
) -> Cohort:
    """Embeds a split.  A ValueError where embeddings are no numbers."""
    embedded = model.exams(path, split)
    check_finite(np.concatenate([embedded.video, embedded.text], 1), name)
    ids = [e.exam_id for e in embedded.exams]
    _, patient = np.unique([e.patient_id for e in embedded.exams], return_inverse=True)
    return Cohort(
        name,
        path,
        split,
        embedded.exams,
        metrics.normalise(embedded.video),
        metrics.normalise(embedded.text),
        labels.read(path, ids) if labelled else Labels.none(),
        Resamples(patient, draws, seed),
        model.head(embedded.video),
    )
