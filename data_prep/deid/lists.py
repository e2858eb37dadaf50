"""What a word is known as: of medicine, of daily language, a name, or nothing.

Daily language is `pyspellchecker`'s lists (MIT; words of film subtitles, seven languages); names
are those that `faker` draws from (MIT; given names and surnames by country).  Neither knows
medicine: that is `medicine.txt` and `words.py`.
"""

import enum
import functools
import importlib
import importlib.resources
import pkgutil
import re

from faker.providers import person
from spellchecker import SpellChecker

from data_prep.deid.words import (
    INSTITUTION,
    PLAIN,
    PLAIN_TEXT,
    is_clinical,
    words_of,
)
from data_prep.folding import fold

SMALL_WORDS = {
    "en": words_of("the of and with no is to in was for not are by has this from there at on seen"),
    "de": words_of(
        "der die das und mit kein keine im ist bei von des nicht zur den eine auf vom am"
    ),
    "fr": words_of("le la les des et du de en avec pas une est au un pour sans dans par par"),
    "es": words_of("el la los las de del con sin por y en se no una que al es a su"),
    "it": words_of("il la lo di del della con senza per e in si non una da gli alla nel un"),
    "pt": words_of("o a os as de do da com sem por e em se nao uma no na ao um pelo"),
    "nl": words_of("de het een van en met geen in is bij niet op voor door te zijn naar aan"),
}
NAMES_OF = words_of(
    "ar cs da de en es fi fr ga ha hi hr hu id ig it nl no pl pt ro sv sw tr vi yo zu"
)
# A name in the lists of names that is, in sentences, rarely one.
NEVER_NAMES = words_of(
    """
    atte ava baby bien branch bull cher don handy hora hosp job lad lima low masse melody mira ora
    pat per post read relu rut sam sister son tex the valentine vena wall signa crista bruder
    an so do to as be he she it no on or up us we my me may can will more less much many most
    """
)

NOUNS = ("de",)  # languages that write every noun with a capital
COMPOUNDS = ("de", "nl")  # and those that write compounds as one word
SHORTEST_COMPOUND = 8
FREQUENT = 1000  # times in the subtitles of a language
PREFIX = re.compile(
    r"^(?:neo|sub|pra|post|prae|pre|re|uber|unter|supra|infra|nach|vor|mit|un|trans|para|retro|inter"
    r"|intra|non|peri|ultra|micro|multi|mikro)(?=\w{5})"
)
SURNAME = re.compile(
    r"(?:mann|bauer|berg|berger|m[ea][iy]e?r|schmidt?|hofer?|bach|feld|stein|huber|graaf|stra|inga)$"
)
# The endings that the WHO gives substances of one kind, in the languages' spellings.
DRUG = re.compile(
    r"\w{3,}(?:olol[eo]?|pril[eo]?|sartan[eo]?|statine?|statina|xaban[eo]?|gatran[eo]?|gliflozine?"
    r"|gliflozina|ciguat|entan|dipine?|dipino|[cz]umab|[mt]uzumab|ximab|[rlt]inib|thiazide?|azole?"
    r"|cyclin[ea]?|penem|mycine?|micina|cilline?|cilina|oxacine?|parine?|parina|afil[eo]?|sidase|sidasi|sidasa"
    r"|teplase|grelor|grel|glutide?|gliptine?|terol|trop(?:ium|in|ine)|caine?|antel|trigine?|ivir"
    r"|vudine?|rubicine?|rubicin|platin|taxel|zomib|lukast|siran|tersen)"
    r"|\w+(?:cocc(?:us|i)|bacter|bacterium|bacillus|mycosis|monas|phaga|ichia)"  # what lives in us
)


class Kind(enum.IntEnum):
    """What the lists say of a word, from the surest word to the surest name."""

    MEDICINE = enum.auto()
    DAILY = enum.auto()
    BOTH = enum.auto()  # a word of daily language, and a name
    NAME = enum.auto()
    UNKNOWN = enum.auto()


def is_medicine(folded: str) -> bool:
    """Whether a folded word is of medicine."""
    return is_clinical(folded) or folded in medicine() or bool(DRUG.fullmatch(folded))


def is_plain(folded: str) -> bool:
    """Whether a folded word is of those that stand in every report, or never name by themselves."""
    return any(folded in words for words in (PLAIN_TEXT, INSTITUTION, NEVER_NAMES, PLAIN))


@functools.cache
def kind_of(folded: str, language: str, anywhere: bool) -> Kind:
    """What a folded word is, in a text of this language.

    `anywhere` takes a word of daily life from any language, however rare; else it has to be a
    frequent one of the text's own or of English.
    """
    if is_medicine(folded):
        return Kind.MEDICINE
    if is_plain(folded):
        return Kind.DAILY
    if anywhere:
        daily = any(folded in daily_words(code, 0) for code in SMALL_WORDS)
    else:
        daily = folded in daily_words(language, FREQUENT) or folded in daily_words("en", FREQUENT)
    if folded in names():
        return Kind.BOTH if daily else Kind.NAME
    return Kind.DAILY if daily else Kind.UNKNOWN


@functools.cache
def is_frequent(folded: str) -> bool:
    """Whether some language says a folded word often."""
    return any(folded in daily_words(code, FREQUENT) for code in SMALL_WORDS)


def is_compound(word: str, language: str) -> bool:
    """Whether an unknown word is a known one behind a prefix, or two known ones; no surname."""
    if PREFIX.match(word):
        return kind_of(PREFIX.sub("", word), language, anywhere=True) <= Kind.DAILY
    if language not in COMPOUNDS or len(word) < SHORTEST_COMPOUND or SURNAME.search(word):
        return False
    for cut in range(4, len(word) - 2):
        first, last = word[:cut], word[cut:]
        heads = (first, first.removesuffix("s"), first.removesuffix("n"), first + "e")
        if _is_part(last, language) and any(_is_part(head, language) for head in heads):
            return True
    return False


def _is_part(word: str, language: str) -> bool:
    return word in daily_words(language, 0) or is_medicine(word)


def language_of(folded: str) -> str:
    """The language whose small words a text has most of; English where it has none."""
    words = re.findall(r"[a-z]+", folded)
    return max(SMALL_WORDS, key=lambda code: sum(w in SMALL_WORDS[code] for w in words))


@functools.cache
def medicine() -> frozenset[str]:
    """The folded words of `medicine.txt`."""
    text = importlib.resources.files("data_prep.deid").joinpath("medicine.txt").read_text("utf-8")
    return words_of("\n".join(line for line in text.splitlines() if not line.startswith("#")))


@functools.cache
def daily_words(language: str, least: int) -> frozenset[str]:
    """Folded words of daily language that the subtitles have at least so many times."""
    counts = SpellChecker(language=language).word_frequency.dictionary
    return frozenset(fold(word) for word, count in counts.items() if count >= least)


@functools.cache
def names() -> frozenset[str]:
    """Folded given names and surnames of the countries that write in Latin letters."""
    found: set[str] = set()
    for module in pkgutil.iter_modules(person.__path__):
        if module.name.split("_")[0] in NAMES_OF:
            provider = importlib.import_module(f"{person.__name__}.{module.name}").Provider
            for field in dir(provider):
                values = getattr(provider, field)
                if field.startswith(("first_name", "last_name")) and not callable(values):
                    found.update(values if isinstance(values, (tuple, list, dict)) else ())
    words = {word for name in found for word in re.split(r"[\s.'’-]+", fold(name))}
    return frozenset(word for word in words if len(word) > 2 and word.isalpha())
