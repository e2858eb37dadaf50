"""German, Spanish and French sentences of reports in the English that the rules read.

`languages.toml` holds the words.  A sentence whose words of denial or doubt were not all translated is
not understood: nothing is read from it, rather than the opposite of what it says.
"""

import functools
import itertools
import pathlib
import re
import tomllib
import unicodedata
from collections.abc import Iterable
from typing import Any, NamedTuple

from cmr_jax.wording import rules

FILE = pathlib.Path(__file__).parent / "languages.toml"
NOT_UNDERSTOOD = "(not understood) "
_WORD = re.compile(r"[a-z]+")
_NOT_LATIN = re.compile(r"[\u0400-\u1cff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


# A strong sign counts twice.  English words outvote weaker evidence: "the ampulla of Vater is normal".
_ENGLISH = frozenset(("the", "of", "with", "is", "are", "and", "for", "was", "from", "without"))


class Language(NamedTuple):
    """Words of one language."""

    signs: frozenset[str]
    stems: frozenset[str]  # of signs with endings of one or two letters
    weak: frozenset[str]  # signs that English reports use too, as abbreviations or names
    open: re.Pattern[str]
    rules: list[rules.Rule]

    def evidence(self, word: str) -> int:
        """2 for a word that only this language has, with its ending or without, 1 for a weak sign."""
        forms = (word, word[:-1], word[:-2]) if len(word) > 6 else ()
        strong = (word in self.signs) + (not self.stems.isdisjoint(forms))
        return 2 * strong + (word in self.weak)


@functools.lru_cache(maxsize=1 << 15)
def _evidence(word: str) -> tuple[tuple[str, int], ...]:
    """Languages that a word is a sign of, with its evidence."""
    each = [(code, language.evidence(word)) for code, language in languages().items()]
    return tuple((code, evidence) for code, evidence in each if evidence)


def english(text: str) -> str:
    """Translate a lower-case sentence; English stays as it is.

    Where denial or doubt is left untranslated, the sentence comes back behind `NOT_UNDERSTOOD`.
    """
    if text.startswith(NOT_UNDERSTOOD):
        return text
    plain = _unaccented(text)
    words = set(_WORD.findall(plain)) | ({"eszett"} if "ß" in text else set())
    evidence, code = _likeliest(words)
    if evidence < max(2, 1 + len(words & _ENGLISH)):
        unknown = _NOT_LATIN.search(text) or not _denials_without_rules().isdisjoint(words)
        return NOT_UNDERSTOOD + text if unknown else text
    language = languages()[code]
    translated = rules.rewritten(plain, language.rules)
    return NOT_UNDERSTOOD + text if language.open.search(translated) else translated


def _likeliest(words: Iterable[str]) -> tuple[int, str]:
    """Evidence for the language that most of the words are signs of, and its code."""
    total: dict[str, int] = {}
    for code, evidence in itertools.chain.from_iterable(map(_evidence, words)):
        total[code] = total.get(code, 0) + evidence
    return max(((evidence, code) for code, evidence in total.items()), default=(0, ""))


def _unaccented(text: str) -> str:
    if text.isascii():
        return text
    apart = unicodedata.normalize("NFKD", text.replace("ß", "ss").replace("œ", "oe"))
    return "".join(c for c in apart if not unicodedata.combining(c)).replace("’", "'")


@functools.cache
def _file() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text())


@functools.cache
def _denials_without_rules() -> frozenset[str]:
    return frozenset(_file()["no_rules"].split())


@functools.cache
def languages() -> dict[str, Language]:
    """Languages by their ISO 639 code."""
    found = {}
    for code, table in _file()["languages"].items():
        signs = table["signs"].split()
        found[code] = Language(
            frozenset(w for w in signs if not w.endswith("-")),
            frozenset(w.removesuffix("-") for w in signs if w.endswith("-")),
            frozenset(table["weak"].split()),
            re.compile(table["open"]),
            rules.compiled(table["rules"]),
        )
    return found
