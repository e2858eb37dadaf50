"""Words as a direction among exams: those furthest along it are found.

Scores of several texts add up, so that any number of them is one vector.  What a sentence names in
words that rules know (cmr_jax/wording, those of conversation too) is told by contrast as well: nearer to
what says that it is there than to what says that it is not, which is how "no" comes to mean no.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cmr_jax import metrics
from cmr_jax.evals.questions import Question, Questions
from cmr_jax.wording import context, findings, plain

LONGEST = 1000  # characters of a query
REMEMBERED = 4000  # texts
_WORD = re.compile(r"[a-z]{3}")
Vector = Float[np.ndarray, " e"]


class Wrong(ValueError):
    """What was asked cannot be answered; the words are of who asked, and of us."""


class Term(NamedTuple):
    """Some texts, whose mean embedding counts with a weight."""

    texts: tuple[str, ...]
    weight: float


class Asker:
    """Asks a model."""

    def __init__(self, embed_texts: Callable[[list[str]], np.ndarray], questions: Questions):
        self._embed, self._questions = embed_texts, questions
        self._known: dict[str, np.ndarray] = {}

    def __call__(self, words: str) -> Vector:
        """A direction, of unit length.  Wrong where there is nothing to ask."""
        words = checked(words)
        return metrics.normalise(self._sum(terms(words, understood(words), self._questions)))

    def _sum(self, wanted: list[Term]) -> Vector:
        vectors = self._vectors({t for term in wanted for t in term.texts})
        means = [term.weight * np.mean([vectors[t] for t in term.texts], 0) for term in wanted]
        return np.sum(means, 0)

    def _vectors(self, texts: set[str]) -> dict[str, Vector]:
        """Unit vectors; those that were asked for lately are remembered."""
        known = self._known  # another thread may begin a new one
        found = {t: known[t] for t in texts if t in known}
        if new := sorted(texts - found.keys()):
            made = metrics.normalise(np.asarray(self._embed(new), np.float32))
            found |= dict(zip(new, made, strict=True))
            self._known = found if len(known) > REMEMBERED else known | found
        return found


def checked(words: str) -> str:
    """Words with one space between them.  Wrong where there is none, or too many."""
    words = " ".join(words.split())
    if not re.search(r"\w", words) or len(words) > LONGEST:
        raise Wrong(f"a query has a word at least, and {LONGEST} characters at most.")
    return words


def understood(words: str) -> findings.Said:
    """The findings that words name, and whether they are asked for or denied."""
    return findings.said_by_all(plain.reported(s) for s in sentences(words))


def beyond(words: str) -> list[str]:
    """Pieces of words that name no finding: for those, likeness to the words is all there is."""
    pieces = [p for s in sentences(words) for p in context.split(plain.reported(s))]
    texts = [piece.text.strip(" .!") for piece in pieces if not findings.said(piece.text)]
    return [text for text in texts if _WORD.search(context.DENIAL.sub("", text))]


def sentences(words: str) -> list[str]:
    """Of a query; a number's point ends none."""
    return [s for s in re.split(r"(?<=[.;!?])\s+", words) if s]


def terms(words: str, says: findings.Said, questions: Questions) -> list[Term]:
    """The words themselves, and both sides of each finding that they name."""
    found = []
    for sentence in sentences(words):
        found.append(Term((sentence,), 1.0))
        said = _without_denial(sentence)
        if said and not understood(sentence):  # rules do not know it: its own opposite
            found.append(Term((said,), -1.0))
    for finding, there in says.items():
        question = questions.get(finding, Question(()))
        for side, weight in ((question.present, 1.0), (question.absent, -1.0)):
            if side:
                found.append(Term(side, weight if there else -weight))
    return found


def _without_denial(sentence: str) -> str:
    """What a sentence denies, said as if it were there; "" where it denies nothing."""
    if not context.DENIAL.search(sentence.lower()):
        return ""
    return " ".join(re.sub(context.DENIAL.pattern, "", sentence, flags=re.IGNORECASE).split())
