"""Exams, cohorts and models of arrays, for tests of evaluation: nothing is on disk."""

import numpy as np

from cmr_jax import metrics
from cmr_jax.data.source import Exam
from cmr_jax.evals.cohort import Cohort
from cmr_jax.evals.labels import Labels
from cmr_jax.evals.statistics.resamples import Resamples
from cmr_jax.evals.study import Study
from cmr_jax.schema import Sequence, Stack, View

DRAWS = 200


def stack(view=View.SAX, sequence=Sequence.CINE, slices=1, phases=2) -> Stack:
    """One stack; its frames are nowhere."""
    return Stack(
        view=view,
        sequence=sequence,
        confidence=1.0,
        evidence=(),
        first_frame=0,
        slice_mm=tuple(map(float, range(slices))),
        phases=((0.0,) * phases,) * slices,
        trigger_ms=((0.0,) * phases,) * slices,
        spacing_mm=2.0,
        row=(1.0, 0.0, 0.0),
        column=(0.0, 1.0, 0.0),
        origins_mm=((0.0, 0.0, 0.0),) * slices,
        rr_ms=900.0,
        intensity_low=0.0,
        intensity_high=1.0,
    )


def exam(number: int, impression: str = "Normal heart.", **fields) -> Exam:
    """One exam of a patient of its own, unless said otherwise."""
    given = {
        "exam_id": f"e{number}",
        "patient_id": f"p{number}",
        "site": "here",
        "vendor": "Siemens",
        "field_strength_t": 1.5,
        "sex": "F",
        "age_band": "50-59",
        "impression": impression,
        "sentences": (impression,),
        "stacks": (stack(),),
    }
    return Exam(**(given | fields))


def cohort(
    findings=None, video=None, text=None, exams=None, measurements=None, classes=None, **fields
) -> Cohort:
    """A cohort of as many exams as there are in what is given."""
    labels = Labels(findings or {}, measurements or {}, classes or {})
    given = [*labels.findings.values(), *labels.measurements.values(), *labels.classes.values()]
    n = len(next(x for x in (exams, video, *given) if x is not None))
    exams = [exam(i) for i in range(n)] if exams is None else exams
    _, patient = np.unique([e.patient_id for e in exams], return_inverse=True)
    none = np.ones((n, 2))
    values = {
        "name": "internal",
        "path": "DATA",
        "split": "test",
        "exams": exams,
        "video": metrics.normalise(none if video is None else video),
        "text": metrics.normalise(none if text is None else text),
        "labels": labels,
        "resamples": Resamples(patient, DRAWS),
    }
    return Cohort(**(values | fields))


def study(of: Cohort, findings=()) -> Study:
    """A study of which these findings can be told."""
    made = Study(of, {})
    made.block["zero_shot"] = {"findings": dict.fromkeys(findings)}
    return made
