"""Which files an exam of many habits consists of, and what is true of each frame in them."""

import dataclasses
import enum

from cmr_jax.schema import Sequence, View
from data_prep.phantom.habits import Series, Shot, Style, series_of
from data_prep.phantom.languages import Name
from data_prep.phantom.population import exam_rng

OBJECTS_STREAM = 24
NOWHERE = -1


class Kind(enum.Enum):
    """What sort of DICOM object a file holds."""

    CLASSIC = "one placed frame"
    ENHANCED = "the placed frames of one take"
    RESULTS = "a page of results, no image of the patient"
    UNPLACED = "frames of a classic object, of which nothing says where they lie"


@dataclasses.dataclass(frozen=True)
class Object:
    """One file; `series` counts from 0, `instance` from 1."""

    kind: Kind
    series: int
    instance: int
    name: Name
    shots: tuple[Shot, ...]

    @property
    def file(self) -> str:
        """Its path within the exam."""
        return f"{self.series:02d}/IM{self.instance:05d}.dcm"


@dataclasses.dataclass(frozen=True)
class Answer:
    """What is true of one frame of one file: what a reader of the file should find.

    `stack`, `slice_from_apex` and `phase` count from 0, and are -1 of what has no place.  Frames
    of one stack number show the same planes with the same contrast, scanned once or more often;
    the two pictures of an inversion are two stacks.  `is_repeat` is true of every frame whose slice was
    scanned more than once, `is_kept_repeat` of those among them that were scanned last.
    `language` is that of the description, or "blank" or "hostile" where it has none.
    """

    file: str
    frame: int
    view: View
    sequence: Sequence
    stack: int
    slice_from_apex: int
    phase: int
    is_repeat: bool
    is_kept_repeat: bool
    mislabelled: bool
    language: str


def objects(study) -> list[Object]:
    """Every file of an exam."""
    style = Style.of(study)
    rng = exam_rng(study.profile.seed, study.index, OBJECTS_STREAM)
    found: list[Object] = []
    every = series_of(study, style)
    for number, series in enumerate(every):
        if style.enhanced:
            found += _enhanced(number, series, study.profile.habits.shuffled, rng)
        else:
            found += [
                Object(Kind.CLASSIC, number, i, series.name, (shot,))
                for i, shot in enumerate(series.shots, 1)
            ]
    if any(s.shots[0].take.derived for s in every):
        found.append(Object(Kind.RESULTS, 90, 1, Name("Inline_VF_Results", "en"), ()))
    if style.unplaced:
        found.append(Object(Kind.UNPLACED, 91, 1, Name("cine", "en"), ()))
    return found


def _enhanced(number: int, series: Series, shuffled: float, rng) -> list[Object]:
    """One object for each take of a series."""
    found = []
    for instance, take in enumerate(dict.fromkeys(shot.number for shot in series.shots), 1):
        shots = [shot for shot in series.shots if shot.number == take]
        if rng.random() < shuffled:
            shots = [shots[i] for i in rng.permutation(len(shots))]
        found.append(Object(Kind.ENHANCED, number, instance, series.name, tuple(shots)))
    return found


def answers(study) -> list[Answer]:
    """The truth of every frame, in the order of the files and of the frames in them."""
    found = []
    for item in objects(study):
        found += [_answer(item, frame, shot) for frame, shot in enumerate(item.shots)]
        if not item.shots:
            made = Sequence.DERIVED if item.kind is Kind.RESULTS else Sequence.OTHER
            found.append(
                Answer(
                    file=item.file,
                    frame=0,
                    view=View.OTHER,
                    sequence=made,
                    stack=NOWHERE,
                    slice_from_apex=NOWHERE,
                    phase=NOWHERE,
                    is_repeat=False,
                    is_kept_repeat=False,
                    mislabelled=False,
                    language=item.name.language,
                )
            )
    return found


def _answer(item: Object, frame: int, shot: Shot) -> Answer:
    take = shot.take
    return Answer(
        file=item.file,
        frame=frame,
        view=take.view,
        sequence=take.sequence,
        stack=take.stack,
        slice_from_apex=take.slice_count - 1 - shot.slice,
        phase=shot.phase,
        is_repeat=take.again or shot.slice in take.replaced,
        is_kept_repeat=take.again,
        mislabelled=item.name.mislabelled,
        language=item.name.language,
    )
