"""Names that nothing announces: capitalised words that no list of daily or medical words has.

A capital within a sentence marks a name in most languages of Europe.  German has it on every noun
as well, so there a word must also be no compound of known ones.  Where a sentence begins, in
headlines and in capitals throughout it says less, and more is asked of the word.
"""

import dataclasses
import itertools
import re
from collections.abc import Iterator

from data_prep.deid import dictation
from data_prep.deid.lists import (
    NOUNS,
    Kind,
    is_compound,
    is_medicine,
    is_plain,
    kind_of,
    language_of,
    names,
)
from data_prep.deid.words import INSTITUTION, words_of
from data_prep.folding import fold

Span = tuple[int, int, str]

TOKEN = re.compile(r"(?<![\w@])(?:[dDlLO]['’])?[^\W\d_]+(?:-[^\W\d_]+)*(?!\w)")
# What a sentence, a line, an item or a field begins after.
STARTS = re.compile(
    r"(?:^|[\n|•*:;?!–—\"“«]|(?<!\b[A-ZÀ-Þ])\.|\d ?[A-Z]\.|(?:^|\n)\s*\(?\w{1,2}[.)]|\s-)"
    r"[\s(\"'>*-]*$"
)
# The full stop of these ends no sentence.
SHORT = re.compile(
    r"\b(?:dra?|prof|st|mr|mrs|ms|sr|sra|dott|sig|dhr|mw|hr|ltd|pat|z|n|ca|bzw|acc|vs)\.\s*$"
)
CLAUSE = re.compile(r"[.:;|\n]")
BACK, REACH = 12, 80  # characters looked at for the start of a sentence, and for a headline
# What a person at the beginning of a sentence is followed by, and a finding seldom.
DOES = re.compile(
    r"['’]s\b|[ ](?:can|will|would|has|had|came|went|attended|lives|agrees|agreed|wishes|tolerated"
    r"|phoned|called|asked|asks|knows|well|kann|hat|wird|mochte|wunscht|peut|doit|vit|puede|vive"
    r"|puo|ha|pode|tem|kan|heeft|wil|is (?:a|an|to|keen|aware|well|now|not|under|on))\b"
)
LABEL = re.compile(r"[ -]\d")  # "Figure 2", a product and its size
VOWEL = re.compile(r"[aeiouy]")
MIXED = re.compile(r"(?:Mc|Mac|O|[DL][aei]|Fitz)[A-Z][a-z]{2}")  # McNeil, DeLuca
PARTICLE = (
    r"(?:[Vv][ao]n|[Dd]e[lrn]?|[Dd]ella|[Dd]i|[Dd]a|[Dd]os|[Dd]u|[Ll]a|[Ll]e|[Ee]l|[Aa]l|[Tt]er)"
)
JOINT = re.compile(rf"[ \t]+(?:(?:{PARTICLE}|i|y)[ \t]+)*|-")
JOINT_OF_CAPITALS = re.compile(r",? |-")
BEFORE = re.compile(
    rf"(?<!\d )(?:\b[A-ZÀ-Þ](?:\.-?|[ ]|-)[ ]?)+$|\b(?=[A-Z]){PARTICLE}[ ](?:de[rn]?[ ]|la[ ])?$"
)
AFTER = re.compile(r"[ ](?:[A-Z]\.?){1,2}(?![\w'’])(?![ ][A-Z][a-z])|[ ]?\([A-Z][a-z]+\)")
# "collega Van der Wielen": within a sentence a particle has a capital in a name alone.
WITH_PARTICLE = re.compile(
    r"(?<=[a-zà-ÿ,(] )(?=[A-Z])"
    rf"{PARTICLE}(?: de[rnt]?| la)? (?!Creveld|Winter|Vega|Quervain)[A-ZÀ-Þ][a-zà-ÿ]{{2,}}"
)
PLACES = INSTITUTION - words_of("and the for von der des del della mri mr cmr") | words_of(
    """hospice campus academy college gymnasium nhs site wing gardens lodge trust spital ambulanz
    infirmary unit"""
)
BEFORE_PLACES = words_of(
    "mount saint st san santa santo port bad los las el new great royal north south east west"
)
SHORTEST, SHORTEST_CAPITALS = 3, 6


@dataclasses.dataclass
class Word:
    """A word of the text: where it stands and whether that says anything of its capital."""

    start: int
    end: int
    text: str
    kind: Kind
    starts: bool  # a sentence, a line, or one of a row of capitalised words
    strange: bool = False

    @property
    def capital(self) -> bool:
        """Whether it begins with a capital, be it after an article: d'Angelo."""
        return self.text[0].isupper() or self.text[2:3].isupper()

    @property
    def can_be_name(self) -> bool:
        """Whether it is one somewhere, whatever else it is."""
        return self.capital and len(self.text) > 2 and fold(self.text) in names()


def spans(text: str, folded: str) -> Iterator[Span]:
    """Capitalised words that are of no list, with their neighbours; names in small letters."""
    language = language_of(folded)
    words = [_word(text, folded, m, language) for m in TOKEN.finditer(text)]
    for word in words:
        word.strange = _is_strange(word, text)
    _pair(words, text)
    _spread(words, text, language)
    for word in words:
        if word.strange:
            before = BEFORE.search(text, max(word.start - BACK, 0), word.start)
            after = AFTER.match(text, word.end)
            start = before.start() if before else word.start
            yield start, after.end() if after else word.end, "NAME"
    for found in WITH_PARTICLE.finditer(text):
        yield *found.span(), "NAME"
    yield from dictation.spans(text, folded, language)


def _word(text: str, folded: str, found: re.Match[str], language: str) -> Word:
    start, end = found.span()
    starts = _starts(text, folded, start) or _is_headline(text, start, end, language)
    parts = [p for p in re.split(r"[-'’]", found.group()) if len(p) > 1 and p[0].isupper()]
    kinds = [_part(part, language, starts) for part in parts]
    return Word(start, end, found.group(), max(kinds, default=Kind.DAILY), starts)


def _starts(text: str, folded: str, at: int) -> bool:
    back = max(at - BACK, 0)
    return bool(STARTS.search(text[back:at])) and not SHORT.search(folded[back:at])


def _is_headline(text: str, start: int, end: int, language: str) -> bool:
    """Whether the words about a word have capitals too, though no names."""
    if language in NOUNS:
        return False
    before = CLAUSE.split(text[max(start - REACH, 0) : start])[-1]
    after = CLAUSE.split(text[end : end + REACH])[0]
    about = re.findall(r"[^\W\d_]{4,}", before)[-4:] + re.findall(r"[^\W\d_]{4,}", after)[:4]
    known = [w for w in about if kind_of(fold(w), language, anywhere=True) <= Kind.DAILY]
    capitals = sum(w[0].isupper() for w in known)
    return capitals > 2 and capitals >= 0.7 * len(known)


def _part(part: str, language: str, starts: bool) -> Kind:
    """What one piece of a hyphenated word is; abbreviations are of medicine."""
    if part.isupper() and len(part) < SHORTEST_CAPITALS - 1:
        return Kind.MEDICINE
    if not part.isupper() and any(c.isupper() for c in part[1:]):
        return Kind.NAME if MIXED.match(part) and not is_medicine(fold(part)) else Kind.MEDICINE
    word = fold(part)
    if not VOWEL.search(word):
        return Kind.MEDICINE
    kind = kind_of(word, language, anywhere=starts or language in NOUNS)
    return Kind.DAILY if kind is Kind.UNKNOWN and is_compound(word, language) else kind


def _is_strange(word: Word, text: str) -> bool:
    """Whether a word by itself is taken for a name."""
    if len(word.text) < SHORTEST or not word.capital:
        return False
    if word.text.isupper():
        shortest = SHORTEST_CAPITALS - (word.kind is Kind.NAME)
        return word.kind in (Kind.NAME, Kind.UNKNOWN) and len(word.text) >= shortest
    if word.kind is Kind.UNKNOWN and LABEL.match(text, word.end):
        return False
    if word.kind in (Kind.BOTH, Kind.UNKNOWN):
        return not word.starts or bool(DOES.match(text, word.end))
    return word.kind is Kind.NAME


def _pair(words: list[Word], text: str) -> None:
    """Two that can be names are one: Rob Weber."""
    for first, second in itertools.pairwise(words):
        both = first.kind is Kind.BOTH and first.can_be_name and second.can_be_name
        if both and not first.text.isupper() and text[first.end : second.start] == " ":
            first.strange = True


def _spread(words: list[Word], text: str, language: str) -> None:
    """A word beside a strange one is of the same name, where it can be one."""
    pairs = list(itertools.pairwise(words))
    for first, second in pairs + pairs[::-1]:
        if first.strange == second.strange or not (first.capital and second.capital):
            continue
        capitals = first.text.isupper() and second.text.isupper()
        joint = JOINT_OF_CAPITALS if capitals else JOINT
        if not joint.fullmatch(text, first.end, second.start):
            continue
        other, places = (second, PLACES) if first.strange else (first, BEFORE_PLACES)
        word = fold(other.text)
        other.strange = other.can_be_name or word in places
        if language not in NOUNS and not first.starts and not second.starts:
            other.strange |= other.kind is Kind.DAILY and not is_plain(word)
