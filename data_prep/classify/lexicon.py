"""What the words of a SeriesDescription say about view and sequence; the words are a data file."""

import functools
import importlib.resources
import re
import unicodedata

from cmr_jax.schema import Sequence, View


def normalise(text: str) -> str:
    """Lower case, no accents, words split at punctuation and between letters and digits."""
    text = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text)).lower()
    text = "".join(
        c for c in text if not unicodedata.combining(c) and (c.isprintable() or c.isspace())
    )
    text = re.sub(r"[_\-./\\,;:()\[\]{}@#<>=^'\"!]+", " ", text)
    text = re.sub(r"(?<=[a-z])(?=\d)|(?<=\d)(?=[a-z])", " ", text)
    return re.sub(r"\s+", " ", text).strip()


@functools.cache
def entries(kind: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """(label, pattern) of one kind in order of priority."""
    text = (
        importlib.resources.files("data_prep.classify").joinpath("lexicon.tsv").read_text("utf-8")
    )
    rows = [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]
    chosen = sorted((row for row in rows if row[0] == kind), key=lambda row: int(row[2]))
    return tuple((row[1], re.compile(rf"(?<![a-z0-9])(?:{row[3]})(?![a-z0-9])")) for row in chosen)


@functools.lru_cache(maxsize=4096)
def view_of(description: str) -> View | None:
    """The view that the words name; None where they name none, or two different chambers."""
    words = normalise(description)
    found = [label for label, pattern in entries("view") if pattern.search(words)]
    chambers = set(found) & {"SAX", "CH2", "CH3", "CH4"}
    if len(chambers) > 1 or not found:
        return None
    return View[found[0]]


@functools.lru_cache(maxsize=4096)
def sequence_of(description: str) -> Sequence | None:
    """The sequence that the words name."""
    words = normalise(description)
    found = next((label for label, pattern in entries("sequence") if pattern.search(words)), None)
    return None if found is None else Sequence[found]
