"""An exam's texts: its impression, sentences of it, and what others than its own could say."""

import collections
import dataclasses
import re
import zlib
from collections.abc import Iterable
from typing import Any

import grain
import numpy as np

from cmr_jax.data.source import Exam
from cmr_jax.tokenizer import Tokenizer
from cmr_jax.wording import findings, rephrased

Record = dict[str, Any]
NO_TEXT = -1  # report_group of a text that is not there
LISTED = 4000  # exams whose sentences may stand in for the opposite of another's: enough wordings


@dataclasses.dataclass(frozen=True)
class Opposites:
    """Sentences of these reports by each thing that they say: how clinicians here would say the
    opposite."""

    by_bit: dict[int, list[str]]

    @classmethod
    def of(cls, exams: Iterable[Exam]) -> "Opposites":
        """Of the first of these exams."""
        found: dict[int, set[str]] = collections.defaultdict(set)
        for exam, _ in zip(exams, range(LISTED), strict=False):
            for sentence in exam.sentences:
                told = _bits([sentence])
                for bit in _each(told):
                    found[bit].add(sentence)
        return cls({bit: sorted(some) for bit, some in found.items()})

    def changed(self, sentences: list[str], rng: np.random.Generator) -> list[str]:
        """The sentences with one of them exchanged for one that says the opposite of something in
        it; none where none can be."""
        told = [_bits([s]) for s in sentences]
        choices = [
            (at, bit)
            for at, what in enumerate(told)
            for bit in _each(what)
            if self.by_bit.get(findings.opposite(bit))
        ]
        if not choices:
            return []
        at, bit = choices[rng.integers(len(choices))]
        others = self.by_bit[findings.opposite(bit)]
        return [*sentences[:at], others[rng.integers(len(others))], *sentences[at + 1 :]]


def _each(told: int) -> list[int]:
    """What is told, one thing at a time."""
    return [bit for bit in findings.BITS if told & bit]


@dataclasses.dataclass(frozen=True)
class ChooseTexts(grain.transforms.RandomMap):
    """The impression, and in training random sentences of it beside it; then tokens."""

    tokenizer: Tokenizer
    length: int
    texts: int
    shuffle: bool  # the sentences of the impression: the meaning stays
    drop: float = 0.0  # the chance of each sentence to be left out of the impression: it says less
    # For impressions that mean the same as others: their own group -> the group they share.
    groups: dict[int, int] = dataclasses.field(default_factory=dict)
    says: bool = False  # what each text says, as rules read it
    rephrase: float = 0.0  # the chance of a sentence that says something to be said otherwise
    opposites: Opposites | None = None  # one text more: the impression, untrue in one thing

    def random_map(self, element: Record, rng: np.random.Generator) -> Record:
        """Add tokens, their mask, the group of each text and what texts say.

        Groups are those of the report's own wording: rephrasing does not make equal reports negatives
        of each other.  An impression of which sentences were left out has the group of the rest.
        """
        exam: Exam = element.get("report", element["exam"])
        sentences = list(exam.sentences)
        kept = self._kept(sentences, rng)
        whole = self._told(kept, rng) if kept else exam.text
        chosen = [(whole, kept or sentences)] if whole else []
        own = group_of(" ".join(kept) if 0 < len(kept) < len(sentences) else exam.impression)
        groups = [self.groups.get(own, own)] if whole else []
        if self.texts > 1 and sentences:
            picks = rng.permutation(len(sentences))[: self.texts - 1]
            chosen += [(self._told([sentences[i]], rng), [sentences[i]]) for i in picks]
            groups += [group_of(sentences[i]) for i in picks]
        missing = self.texts - len(chosen)
        chosen += [("", [])] * missing
        groups += [NO_TEXT] * missing
        more: Record = {}
        if self.opposites is not None:
            changed = self.opposites.changed(kept or sentences, rng)
            chosen.append((self._told(changed, rng), changed))
            groups.append(group_of(" ".join(changed)) if changed else NO_TEXT)
            more["untrue"] = np.arange(len(chosen)) >= self.texts
        if self.says:
            told = [_bits(of) for _, of in chosen]
            more |= {"says": np.array(told, np.int32), "exam_says": np.int32(_bits(sentences))}
        texts = [text for text, _ in chosen]
        tokens, mask = self.tokenizer.encode(texts, self.length)
        return element | {
            "tokens": tokens,
            "text_mask": mask,
            "report_group": np.array(groups, np.int32),
            **more,
        }

    def _kept(self, sentences: list[str], rng: np.random.Generator) -> list[str]:
        """Sentences of the impression in the order in which they are said; () leaves it as it is."""
        if not (self.shuffle or self.drop or self.rephrase) or len(sentences) < 2:
            return sentences if self.rephrase else []
        order = rng.permutation(len(sentences)) if self.shuffle else np.arange(len(sentences))
        if self.drop:
            stays = rng.random(len(sentences)) >= self.drop
            stays[rng.integers(len(sentences))] = True
            order = order[stays[order]]
        return [sentences[i] for i in order]

    def _told(self, sentences: list[str], rng: np.random.Generator) -> str:
        """In their own words, or some of them in others."""
        if not self.rephrase:
            return " ".join(sentences)
        other = rng.random(len(sentences)) < self.rephrase
        return " ".join(
            rephrased.said_otherwise(what, rng)
            if changes and (what := findings.said(sentence))
            else sentence
            for sentence, changes in zip(sentences, other, strict=True)
        )


def _bits(sentences: list[str]) -> int:
    return findings.bits(findings.said_by_all(sentences))


def group_of(text: str) -> int:
    """Equal for texts that say the same words, whatever their order of sentences, case or numbering.

    Numbers keep their sign and their decimals.
    """
    text = re.sub(r"(^|[.;\n])\s*\d+[.)]\s+", r"\1 ", text.lower())
    parts = re.split(r"(?:\.(?!\d)|[;。；\n])+", text)
    words = [re.sub(r"[^\w .-]+|_|-(?!\d)", "", part) for part in parts]
    key = "|".join(sorted(filter(None, (" ".join(w.split()) for w in words))))
    return zlib.crc32(key.encode()) & 0x7FFFFFFF
