"""What the words of a description say about view, sequence and contrast; the words are data.

`lexicon.tsv` holds the project's words.  A site adds its own in a file of the same form.
"""

import dataclasses
import functools
import importlib.resources
import pathlib
import re
import unicodedata
from collections.abc import Iterable

from cmr_jax.schema import Sequence, View

KINDS = {
    "view": frozenset(View.__members__),
    "sequence": frozenset(Sequence.__members__),
    "contrast": frozenset({"bSSFP", "GRE"}),
}
COLUMNS = ("kind", "label", "priority", "pattern", "example")
# Two of these in one description name none.
CHAMBERS = frozenset({"SAX", "CH2", "CH3", "CH4"})
# A description is 64 characters (VR LO); beyond this it is not read.
LONGEST_DESCRIPTION = 256
# Letters that have no decomposition into a plain one and an accent.
PLAIN = str.maketrans({"ł": "l", "ø": "o", "ı": "i", "æ": "ae", "đ": "d"})
PUNCTUATION = re.compile(r"[\s_\-./\\,;:()\[\]{}@#<>=^'\"!+&|%~?`´’，、：（）]+")


@dataclasses.dataclass(frozen=True)
class Entry:
    """One line of a lexicon; a lower priority is tried first."""

    kind: str
    label: str
    priority: int
    pattern: str
    example: str

    def found_in(self, words: str) -> str:
        """The part of normalised words that the pattern matches; "" where it does not."""
        match = _compiled(self.pattern).search(words)
        return match[0].strip() if match else ""


@dataclasses.dataclass(frozen=True)
class Words:
    """What a description names; None or "" where it names nothing."""

    view: View | None
    sequence: Sequence | None
    contrast: str


@dataclasses.dataclass(frozen=True)
class Lexicon:
    """Entries in order of priority.  Plain strings: it travels to workers."""

    entries: tuple[Entry, ...]

    def matching(self, kind: str, description: str) -> list[Entry]:
        """Entries of a kind that match, the winner first."""
        words = normalise(description)
        return [e for e in self.entries if e.kind == kind and e.found_in(words)]

    def read(self, description: str) -> Words:
        """What a description names."""
        view = decided(self.matching("view", description))
        sequence = decided(self.matching("sequence", description))
        return Words(
            View[view] if view else None,
            Sequence[sequence] if sequence else None,
            decided(self.matching("contrast", description)),
        )


def decided(found: list[Entry]) -> str:
    """The label of the first; "" without any, or where two chamber views are named at once."""
    if not found or (len({e.label for e in found} & CHAMBERS) > 1 and found[0].label in CHAMBERS):
        return ""
    return found[0].label


def normalise(text: str) -> str:
    """Lower case, no accents, words split at punctuation, digits and inner capitals."""
    text = unicodedata.normalize("NFKC", text[:LONGEST_DESCRIPTION])
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    text = _plain(text.casefold())
    text = "".join(c for c in text if c.isprintable() or c.isspace())
    text = PUNCTUATION.sub(" ", text)
    text = re.sub(r"(?<=[a-z])(?=\d)|(?<=\d)(?=[a-z])", " ", text)
    return " ".join(text.split())


def _plain(text: str) -> str:
    """Without accents; syllables of Korean stay whole."""
    parts = unicodedata.normalize("NFD", text)
    kept = "".join(c for c in parts if not unicodedata.combining(c))
    return unicodedata.normalize("NFC", kept).translate(PLAIN)


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![a-z0-9])(?:{_plain(pattern)})(?![a-z0-9])")


@functools.cache
def built_in() -> Lexicon:
    """The project's own words."""
    text = importlib.resources.files("data_prep.classify").joinpath("lexicon.tsv")
    return _ordered(parse(text.read_text("utf-8"), "lexicon.tsv"))


def load(extra: pathlib.Path | None) -> Lexicon:
    """The project's words and a site's; at equal priority the site's are tried first."""
    if extra is None:
        return built_in()
    try:
        text = extra.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"the lexicon {extra} cannot be read ({type(error).__name__}). Give a UTF-8 file of "
            f"five columns with tabs between them: {', '.join(COLUMNS)}."
        ) from error
    return _ordered((*parse(text, str(extra)), *built_in().entries))


def _ordered(entries: Iterable[Entry]) -> Lexicon:
    return Lexicon(tuple(sorted(entries, key=lambda e: e.priority)))


def parse(text: str, name: str) -> tuple[Entry, ...]:
    """Entries of a lexicon's text; a line that cannot be used is an error that names it."""
    lines = enumerate(text.splitlines(), start=1)
    return tuple(
        _entry(line.split("\t"), f"{name}, line {number}")
        for number, line in lines
        if line.strip() and not line.startswith("#")
    )


def _entry(cells: list[str], where: str) -> Entry:
    if len(cells) != len(COLUMNS):
        raise ValueError(
            f"{where}: {len(cells)} columns. Write {len(COLUMNS)}, with tabs between them: "
            f"{', '.join(COLUMNS)}."
        )
    kind, label, priority, pattern, example = cells
    if label not in KINDS.get(kind, ()):
        labels = {k: sorted(v) for k, v in KINDS.items()}
        raise ValueError(f"{where}: no label {label!r} of kind {kind!r}. There are: {labels}.")
    if not priority.isdigit():
        raise ValueError(f"{where}: priority {priority!r}. Write a whole number from 0.")
    entry = Entry(kind, label, int(priority), pattern, example)
    try:
        fits = entry.found_in(normalise(example))
    except re.error as error:
        raise ValueError(f"{where}: the pattern is no regular expression ({error}).") from error
    if not fits:
        raise ValueError(
            f"{where}: the pattern does not match its example, which reads "
            f"{normalise(example)!r} once normalised."
        )
    return entry
