"""One decision per stack from three witnesses: words, geometry, physics.

Agreement raises the confidence, conflict lowers it and is recorded; a word that the plane
contradicts makes the view OTHER, and it is never guessed.
"""

import dataclasses

from cmr_jax.schema import Sequence, View
from data_prep.classify import geometry, lexicon
from data_prep.exam.stacks import RawStack

# A cine has at least this many phases at one position.
CINE_LEAST_PHASES = 5
# Echo times above this are not a cine's (ms).
CINE_LONGEST_TE_MS = 4.0


@dataclasses.dataclass(frozen=True)
class Decision:
    """What a stack is, how sure, and why.  Evidence holds no header text."""

    view: View
    sequence: Sequence
    confidence: float
    evidence: tuple[str, ...]


def classify(stacks: list[RawStack]) -> list[Decision]:
    """Decides every stack of one exam."""
    return [_decide(stack) for stack in stacks]


def _decide(stack: RawStack) -> Decision:
    view, view_trust, view_why = _view(stack)
    sequence, sequence_trust, sequence_why = _sequence(stack)
    return Decision(
        view, sequence, round(view_trust * sequence_trust, 3), (*view_why, *sequence_why)
    )


def _description(stack: RawStack) -> str:
    text = stack.first.text
    return text.get("SeriesDescription") or text.get("ProtocolName", "")


def _view(stack: RawStack) -> tuple[View, float, list[str]]:
    named = lexicon.view_of(_description(stack))
    seen, trust, why = geometry.view_of(stack)
    if named is None:
        return seen, trust, [f"view from geometry: {why}"]
    if geometry.contradicts(stack, named):
        return View.OTHER, 0.3, [f"conflict: named {named.name}, but {why}"]
    if seen is named:
        return named, 0.99, [f"named {named.name}", why]
    return named, 0.7, [f"named {named.name}", f"geometry suggests {seen.name}: {why}"]


def _sequence(stack: RawStack) -> tuple[Sequence, float, list[str]]:
    named = lexicon.sequence_of(_description(stack))
    seen, why = _physics(stack)
    if named is None:
        return seen, 0.8, [f"sequence from physics: {why}"]
    if named is seen:
        return named, 0.99, [f"named {named.name}", why]
    both_lge = {named, seen} <= {Sequence.LGE_MAG, Sequence.LGE_PSIR}
    if both_lge:  # the words say LGE, the image type says which kind
        return seen, 0.9, [f"named {named.name}", why]
    if {named, seen} & {Sequence.CINE} and seen is not Sequence.OTHER:
        return Sequence.OTHER, 0.3, [f"conflict: named {named.name}, but {why}"]
    return named, 0.7, [f"named {named.name}", why]


def _physics(stack: RawStack) -> tuple[Sequence, str]:
    first = stack.first
    kind = first.text.get("ImageType", "").upper().split("\\")
    inversion = "IR" in first.text.get("ScanningSequence", "").split("\\")
    inversion = inversion or (first.number("InversionTime") or 0) > 100
    phases = stack.phase_count
    if phases >= CINE_LEAST_PHASES:
        echo = first.number("EchoTime") or 0.0
        if inversion or echo > CINE_LONGEST_TE_MS:
            return Sequence.OTHER, f"{phases} phases, but inversion or long echo"
        return Sequence.CINE, f"{phases} phases, no inversion"
    if inversion and phases == 1:
        if "PSIR" in kind or "PS" in kind:
            return Sequence.LGE_PSIR, "still with inversion, phase-sensitive"
        return Sequence.LGE_MAG, "still with inversion, magnitude"
    return Sequence.OTHER, f"{phases} phases"
