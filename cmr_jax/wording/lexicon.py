"""Words of reports, which `lexicon.toml` holds for people to review."""

import functools
import pathlib
import re
import tomllib
from typing import Any, NamedTuple

FILE = pathlib.Path(__file__).parent / "lexicon.toml"

VALVE = r"(?:mitral|aortic|tricuspid|pulmon(?:ary|ic))"
REGURGITATION = r"(?:regurgitation|insufficiency|incompetence|regurg|leak(?:age)?)"
_MACROS = {  # what capitals in the file stand for
    "REGURGITATION": REGURGITATION,
    "VALVULAR": "(?<!mitral )(?<!aortic )(?<!tricuspid )(?<!pulmonary )(?<!pulmonic )valv(?:e|ular)",
    "NORMAL_VALVES": (
        r"(?:normal|unremarkable|competent)(?: functioning)? (?:(?:cardiac|heart) )?valv(?:es|ular)(?: function)?"
        r"|valv(?:es|ular function) (?:(?:are|is|all|appear|show) )*(?:normal|unremarkable|competent)"
    ),
    "VALVE_DISEASE": (
        r"valv(?:e|ular) (?:heart )?(?:diseases?|abnormalit\w+|dysfunction|lesions?|patholog\w+|defects?)"
    ),
}


_LISTS = ("says", "denies", "denied", "unless", "of", "is", "fine")


class Concept(NamedTuple):
    """Words of a concept, as the file explains them."""

    says: re.Pattern[str] | None
    denies: re.Pattern[str] | None
    denied: re.Pattern[str] | None
    unless: re.Pattern[str] | None
    of: re.Pattern[str] | None
    quality: re.Pattern[str] | None  # `is` in the file
    fine: re.Pattern[str] | None
    any: re.Pattern[str]  # words that name the concept, whatever they say
    placed: bool
    past: bool


@functools.cache
def _file() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text())


def entries(name: str) -> list[str]:
    """Words of the thirteen findings by the name of their list, one pattern each."""
    return _file()["words"][name]


def words(name: str) -> re.Pattern[str]:
    """One pattern for all words of a list of the thirteen findings."""
    return _whole(entries(name))


class Spelling(NamedTuple):
    """Words that typing errors are corrected to, and words that only look like errors."""

    words: frozenset[str]
    others: frozenset[str]


@functools.cache
def spelled() -> Spelling:
    """Spellings of the file."""
    return Spelling(*(frozenset(_file()["spelling"][k].split()) for k in ("words", "others")))


@functools.cache
def concepts() -> dict[str, Concept]:
    """Concepts by name, in the order of the file."""
    found = {}
    for name, entry in _file()["concepts"].items():
        words_of = {key: _whole(value) for key, value in entry.items() if isinstance(value, list)}
        says, denies, denied, unless, of, quality, fine = map(words_of.get, _LISTS)
        named = _whole([w for key in ("says", "denies", "denied") for w in entry.get(key, ())])
        placed, past = entry.get("placed", False), entry.get("past", False)
        found[name] = Concept(says, denies, denied, unless, of, quality, fine, named, placed, past)
    return found


def _whole(patterns: list[str]) -> re.Pattern[str]:
    """One pattern of whole words for all of a list."""
    joined = "|".join(patterns)
    for macro, meaning in _MACROS.items():
        joined = joined.replace(macro, meaning)
    return re.compile(rf"(?<!\w)(?:{joined})(?!\w)")
