"""Finds what the exam's header says of its patient, however the report spells it."""

import re
from collections.abc import Iterable, Iterator

from data_prep.deid.lists import is_frequent
from data_prep.deid.words import INSTITUTION, is_ambiguous, words_of
from data_prep.folding import fold

WORDS = re.compile(r"[^\W_]+")
SHORTEST_NAME, SHORTEST_JOINED, SHORTEST_NUMBER = 3, 5, 4
GAP = re.compile(r"(?:[ \t.,/_-]{0,2}|-?\s{0,2})")
TWO_LETTERS = str.maketrans({"Ä": "AE", "Ö": "OE", "Ü": "UE", "ä": "ae", "ö": "oe", "ü": "ue"})
UMLAUTS = (("ae", "a"), ("oe", "o"), ("ue", "u"))
CAPITALISED = re.compile(r"\b[A-ZÀ-Þ][a-zà-ÿ]")
PARTICLES = words_of("de del della der den von van la le el al di da dos du y mc mac st")

Span = tuple[int, int, str]


class Known:
    """Words of one exam's header: names, numbers and places, folded."""

    def __init__(self, values: Iterable[str]):
        self.names: set[str] = set()
        self.logins: set[str] = set()  # jsmith, smithj
        self.joined: dict[str, str] = {}
        for value in values:
            for spelling in dict.fromkeys((value, value.translate(TWO_LETTERS))):
                self._add(spelling)
        self.initials = {name[0] for name in self.names}
        self.longest = max(map(len, self.joined), default=0)
        self.starts = {token[:2] for token in self.joined}

    def _add(self, value: str) -> None:
        for part in re.split(r"[\\=]", value):
            words = WORDS.findall(_fold_long(part))
            place = set(words) & INSTITUTION and len([w for w in words if w.isalpha()]) > 1
            if "^" in part:
                self._add_person(part)
            elif place:
                self._add_place(part, words)
            elif re.search(r"\d", part):
                self._add_number("".join(words))
            elif words:
                self._add_person(part)

    def _add_place(self, part: str, words: list[str]) -> None:
        for phrase in (part, part.split(",")[0]):
            self._join("".join(WORDS.findall(_fold_long(phrase))), "PLACE")
        for word in words:
            if word.isalpha() and word not in INSTITUTION and not is_ambiguous(word):
                self._join(word, "PLACE")

    def _add_person(self, part: str) -> None:
        groups = [WORDS.findall(_fold_long(g)) for g in re.split(r"[\^,]", part)]
        groups = [g for g in groups if g]
        for word in dict.fromkeys(w for g in groups for w in g):
            if len(word) >= SHORTEST_NAME - 1 and word not in PARTICLES:
                self.names |= set(_spellings(word))
                if not is_ambiguous(word):
                    self._join(word, "NAME", SHORTEST_NAME)
        for group in groups:
            if len(group) > 1:
                self._join("".join(group), "NAME")
        if len(groups) > 1:
            family, given = "".join(groups[0]), "".join(groups[1])
            for both in (family + given, given + family):
                self._join(both, "NAME")
            self.logins |= {given[0] + family, family + given[0]}

    def _add_number(self, whole: str) -> None:
        digits = max(re.findall(r"\d+", whole), key=len)
        if not whole.isdigit() or len(whole) >= SHORTEST_NUMBER:
            self._join(whole, "ID", SHORTEST_NAME)
        for short in (digits, digits.lstrip("0"), whole.lstrip("0")):
            self._join(short, "ID")

    def _join(self, token: str, kind: str, shortest: int = SHORTEST_JOINED) -> None:
        if len(token) >= shortest:
            for spelling in _spellings(token):
                self.joined.setdefault(spelling, kind)

    def spans(self, text: str, folded: str) -> Iterator[Span]:
        """Where the folded text says something of the header; pieces of a word may be apart."""
        words = [(m.start(), m.end(), m.group()) for m in WORDS.finditer(folded)]
        capitals = bool(CAPITALISED.search(text))
        for i, (start, end, word) in enumerate(words):
            if word[:2] in self.starts or len(word) == 1:
                yield from self._from(folded, words, i, text[start:end] if capitals else "")
            if word in self.logins or (word in self.names and self._beside(text, words, i)):
                yield start, end, "NAME"

    def _from(
        self, folded: str, words: list[tuple[int, int, str]], i: int, written: str
    ) -> Iterator[Span]:
        """The longest run of pieces from word i, `written` so, that spells something known."""
        start, end, text = words[i]
        best = (end, self.joined[text]) if text in self.joined else None
        for count, (begin, end, word) in enumerate(words[i + 1 : i + self.longest], 1):
            if not GAP.fullmatch(folded, words[i + count - 1][1], begin):
                break
            text += word
            if len(text) > self.longest:
                break
            if self.joined.get(text) == "ID" or (
                text in self.joined and len(text) >= SHORTEST_JOINED
            ):
                best = end, self.joined[text]
        first = words[i][2]
        if best is None and first.endswith("s") and first[:-1] in self.joined:
            best = words[i][1], self.joined[first[:-1]]
        if best is None or (best[1] == "ID" and _has_unit(folded, start, best[0])):
            return
        if not (best[1] == "NAME" and best[0] == words[i][1] and _is_said(written, first)):
            yield start, best[0], best[1]

    def _beside(self, text: str, words: list[tuple[int, int, str]], i: int) -> bool:
        """Whether the next or last word is another name of the header, or an initial of one."""
        start, _, word = words[i]
        for j in (i - 1, i + 1):
            if not 0 <= j < len(words):
                continue
            low, high = sorted((i, j))
            between = text[words[low][1] : words[high][0]]
            other = words[j][2]
            if len(between) > 3 or between.strip(" ,.^-\t") or other == word:
                continue
            # "A Ross procedure": before a name, one letter is an initial only with its full stop.
            dotted = j > i or between.startswith(".")
            initial = text[words[j][0]].isupper() and text[start].isupper() and dotted
            if other in self.names or (initial and other in self.initials):
                return True
        return False


def _fold_long(text: str) -> str:
    return fold(text.replace("ß", "ss").replace("ẞ", "ss"))


def _spellings(word: str) -> Iterator[str]:
    """The word, and as it is written where umlauts are two letters or one, sharp s is one."""
    yield word
    plain = word
    for two, one in UMLAUTS:
        plain = plain.replace(two, one)
    yield plain
    yield word.replace("ss", "s")


def _has_unit(folded: str, start: int, end: int) -> bool:
    after = re.match(r"\s?(?:%|mm|cm|ml|ms|g\b|bpm|[.,]\d)", folded[end : end + 5])
    return bool(after) and folded[start:end].isdigit() and end - start < 6


def _is_said(written: str, folded: str) -> bool:
    """Whether a name in small letters, where others have capitals, is a word: there is hope."""
    return written.islower() and is_frequent(folded)
