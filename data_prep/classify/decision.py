"""One decision per stack from three witnesses: words, planes, physics.

Agreement raises the confidence, conflict lowers it and is recorded; a word that the plane or the
acquisition contradicts makes OTHER, and nothing is guessed.
"""

import dataclasses

from cmr_jax.schema import Sequence, View
from data_prep.classify import geometry, lexicon, physics
from data_prep.classify.lexicon import Lexicon, Words
from data_prep.classify.longaxis import Placed
from data_prep.classify.physics import Seen
from data_prep.stacks.stack import RawStack

# Fields with words, in the order in which they are asked: the second is often inherited.
FIELDS = ("SeriesDescription", "ProtocolName")
LGE = {Sequence.LGE_MAG, Sequence.LGE_PSIR}
# Planes of these are no views of the heart: of scouts, of results, across vessels.
NO_VIEWS = {Sequence.LOCALIZER, Sequence.DERIVED, Sequence.FLOW}
# What a sequence may look like from outside although it is named rightly.
ALIKE = {
    Sequence.TAGGING: {Sequence.CINE},
    Sequence.FLOW: {Sequence.CINE},
    Sequence.PERFUSION: {Sequence.OTHER, *LGE},
    Sequence.T1MAP: {Sequence.OTHER, *LGE},
    Sequence.T2MAP: {Sequence.OTHER, Sequence.T2W, Sequence.T2STAR},
    Sequence.T2STAR: {Sequence.OTHER},
    Sequence.T2W: LGE,
    Sequence.LOCALIZER: set(Sequence),
    Sequence.DERIVED: set(Sequence),
    Sequence.OTHER: set(Sequence),
}


@dataclasses.dataclass(frozen=True)
class Decision:
    """What a stack is, how sure, and why.  Evidence holds no header text.

    `contrast` of a cine is "bSSFP" or "GRE", "" where unknown; `unit` is "ms" of a relaxation
    map, "cm/s" of velocities, "" where the intensity is arbitrary.
    """

    view: View
    sequence: Sequence
    confidence: float
    evidence: tuple[str, ...]
    contrast: str = ""
    unit: str = ""


@dataclasses.dataclass(frozen=True)
class _Verdict:
    """One half of a decision."""

    label: View | Sequence
    trust: float
    why: tuple[str, ...]


def classify(stacks: list[RawStack], words: Lexicon | None = None) -> list[Decision]:
    """Decides every stack of one exam, with all of them in sight.

    `words` is the lexicon, the project's own by default (see `lexicon.load` for a site's).
    """
    words = words or lexicon.built_in()
    said = [_said(stack, words) for stack in stacks]
    seen = physics.see(stacks)
    sequences = [_sequence(w, s) for w, s in zip(said, seen, strict=True)]
    views = _views(stacks, said, sequences)
    return [_decision(*four) for four in zip(views, sequences, said, seen, strict=True)]


def _said(stack: RawStack, words: Lexicon) -> Words:
    """What the fields name; a later field only fills what an earlier one leaves open."""
    read = [words.read(stack.first.text.get(field, "")) for field in FIELDS]
    return Words(
        next((r.view for r in read if r.view is not None), None),
        next((r.sequence for r in read if r.sequence is not None), None),
        next((r.contrast for r in read if r.contrast), ""),
    )


def _decision(view: _Verdict, sequence: _Verdict, said: Words, seen: Seen) -> Decision:
    assert isinstance(view.label, View)
    assert isinstance(sequence.label, Sequence)
    cine = sequence.label is Sequence.CINE
    return Decision(
        view.label,
        sequence.label,
        round(view.trust * sequence.trust, 3),
        (*view.why, *sequence.why),
        contrast=(seen.contrast or said.contrast) if cine else "",
        unit=seen.unit if sequence.label is seen.sequence else "",
    )


def _sequence(said: Words, seen: Seen) -> _Verdict:
    named = said.sequence
    if named is None:
        return _Verdict(seen.sequence, max(seen.trust, 0.5), (f"by physics: {seen.why}",))
    why = (f"named {named.name}", seen.why)
    if named is seen.sequence and seen.trust:
        return _Verdict(named, 0.99, why)
    if {named, seen.sequence} <= LGE:
        return _kind_of_lge(named, seen, why)
    conflict = (f"conflict: named {named.name}, but {seen.why}",)
    if named is Sequence.CINE or named in LGE:
        return _strict(named, seen, why, conflict)
    if not seen.trust or seen.sequence in ALIKE[named]:
        return _Verdict(named, 0.9 if seen.trust else 0.8, why)
    return _Verdict(named, 0.5, conflict)


def _kind_of_lge(named: Sequence, seen: Seen, why: tuple[str, ...]) -> _Verdict:
    """Words and image type each may state the kind; a plain magnitude states nothing."""
    stated = seen.sequence is Sequence.LGE_PSIR or "magnitude stated" in seen.why
    return _Verdict(seen.sequence if stated else named, 0.9, why)


def _strict(
    named: Sequence, seen: Seen, why: tuple[str, ...], conflict: tuple[str, ...]
) -> _Verdict:
    """What is learnt from must not be contradicted: a name alone makes no cine and no LGE."""
    if named is Sequence.CINE and seen.sequence in NO_VIEWS:
        return _Verdict(seen.sequence, 0.7, conflict)
    if named in LGE and (not seen.trust or seen.sequence is Sequence.DERIVED):
        return _Verdict(named, 0.7, why)
    return _Verdict(Sequence.OTHER, 0.3, conflict)


def _views(stacks: list[RawStack], said: list[Words], sequences: list[_Verdict]) -> list[_Verdict]:
    judged = [i for i, verdict in enumerate(sequences) if verdict.label not in NO_VIEWS]
    placed = geometry.see([stacks[i] for i in judged], [said[i].view for i in judged])
    found = {i: _view(said[i].view, one) for i, one in zip(judged, placed, strict=True)}
    return [found.get(i) or _plain_view(stacks[i], said[i].view) for i in range(len(stacks))]


def _plain_view(stack: RawStack, named: View | None) -> _Verdict:
    if named is not None:
        return _Verdict(named, 0.7, (f"named {named.name}, planes not asked",))
    body = geometry.body_plane(stack)
    return _Verdict(View.OTHER if body is None else body, 0.7, ("no view of the heart",))


def _view(named: View | None, placed: Placed) -> _Verdict:
    if named is None:
        return _Verdict(placed.view, placed.trust, (f"view by planes: {placed.why}",))
    if placed.clash:
        return _Verdict(View.OTHER, 0.3, (f"conflict: named {named.name}, but {placed.why}",))
    if placed.view is named:
        return _Verdict(named, 0.99, (f"named {named.name}", placed.why))
    return _Verdict(named, 0.7, (f"named {named.name}", f"{placed.view.name} by planes"))
