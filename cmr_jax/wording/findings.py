"""Findings that a sentence states as present or absent.

Each state (large, weak, thick, ...) belongs to the nearest chamber that its clause names, or to the
last one named before.  What is doubted says nothing.  The words are those of case reports and of the
published prompts; `tests/test_wording.py` holds them to sentences of either kind.
"""

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from cmr_jax.wording import lexicon, numbers
from cmr_jax.wording.context import Clause, split
from cmr_jax.wording.languages import NOT_UNDERSTOOD
from cmr_jax.wording.normalization import normal

FINDINGS = (
    "lv_dilation",
    "lv_dysfunction",
    "lv_hypertrophy",
    "rv_dilation",
    "rv_dysfunction",
    "aortic_dilation",
    "pericardial_effusion",
    "lge",
    "infarct",
    "nonischemic_lge",
    "amyloidosis",
    "hcm",
    "dcm",
)
Said = dict[str, bool]
Named = tuple[tuple[int, str], ...]  # where in a clause, chamber
# In bits, two a finding: "is there", and one place up, "is not there".
IS_THERE = 0x55555555
BITS = tuple(1 << place for place in range(2 * len(FINDINGS)))

LV, RV, BOTH, AORTA = "lv", "rv", "both", "aorta"
_PLACES = re.compile(
    r"(?P<both>\bbiventric\w+|\b(?:left|right) (?:and|or) (?:right|left) ventric\w+|\bn?either ventricle"
    r"|\bboth(?= (?:are |\w+ly )*(?:dilated|enlarged|hypokinetic|impaired|reduced|normal)\b)"
    r"|(?<!left )(?<!right )\bventricles\b|\b(?:all|four|cardiac) (?:four )?chambers(?! view)"
    r"|\bfour chamber(?= (?:dilat|enlarg))|(?<!left )(?<!right )\bventricular(?= (?:volumes|size|dimensions)))"
    r"|(?P<lv>\bleft ventric\w+|\bleft heart|\blv(?:ef|edvi?|esvi?|h)?\b)"
    r"|(?P<rv>\bright ventric\w+|\bright (?:sided )?(?:heart|chambers|cavities)|\brv(?:ef|edvi?|esvi?|h)?\b)"
    r"|(?P<atrium>\b(?:left|right) atri\w+|\b[lr]a\b|\bbiatrial|\batri\w+)"
    r"|(?P<aorta>\baort(?:a|ic)(?! valve| stenosis| regurg| insuff)\w*|\bsinus(?:es)? of valsalva)"
    r"|(?P<other>\b(?:pulmonary|vena cava|mitral|tricuspid|coronary|valv\w+|pericardi\w+))"
)
_LARGE = lexicon.words("large")
_SIZE = lexicon.words("size")
_WEAK = lexicon.words("weak")
_POOR = lexicon.words("poor")
_FUNCTION = lexicon.words("function")
_FINE = re.compile(
    r"(?<!than )(?<!above )(?<!below )(?<!above the )(?<!below the )"
    + lexicon.words("fine").pattern
)
REGION = lexicon.words("region")
_THICK = lexicon.words("thick")
_WALL = lexicon.words("thickness")
_ENHANCES = lexicon.words("enhancement")
_BUT_THERE = re.compile(  # "no LGE other than at the insertion points"
    r"\b(?:no|without) (?:\w+ ){0,3}(?:lge|enhancement|scar\w*)\b.*\b(?:other than|except|apart from|aside from)\b"
    r"|\b(?:apart from|aside from|other than|except for)\b.*\bno (?:\w+ ){0,3}(?:lge|enhancement|scar)"
)
_ADJECTIVE = re.compile(
    r"\W*(?:a |the )?(?:\w+ly )?(?:dilated|enlarged|hypertrophied|thickened|impaired|hypokinetic)\W*"
)
_VOLUMES = re.compile(r"\bvolumes\b")
_CARDIOMYOPATHY = re.compile(r"\s+(?:(?:or|and) \w+ )?cardiomyopathy")
_OTHER_FUNCTION = re.compile(r"\bdiastolic\b|\blongitudinal\b")
_NOT_SYSTOLIC = re.compile(r"\bdiastolic (?:dys)?function|\blongitudinal function")
_LOW_NORMAL = re.compile(r"\b(?:low|lower limit of) normal\b")
_SEPTAL_HYPERTROPHY = re.compile(r"\bsept\w+ (?:wall )?hypertroph")
TISSUE_FINDINGS = ("lge", "infarct", "nonischemic_lge")
_OF_PERICARDIUM = re.compile(r"pericardial (?:late|delayed|lge|enhancement)|\blayers\b")
_BARE_ENHANCEMENT = re.compile(
    r"^(?!.*\b(?:late|delayed|d?lge|scar|fibrosis|myocardi|wall|sept))(?=.*\benhancement\b)"
)
_NOT_WALL = re.compile(r"\b(?:pericardium|pericardial thick\w+|mass|tumou?r|myxoma|thrombus)\b")
_OTHER_OWNER = re.compile(
    r"\b(?:mass|tumou?r|thromb\w+|myxoma|lesion|cyst|clot)\b.*\b(?:shows?|showed|has|without|is)\b"
)
_ITEM = re.compile(r"^|\b(?:or|and) ")
_EVERYWHERE = re.compile(r"\b(?:all|any|every) segments?\b")
_SHOWN = re.compile(r"\b(?:lge|gadolinium|enhancement)\b.*\b(?:demonstrate|show|reveal|confirm)")
_OF_INFARCT = lexicon.words("infarct")
_LAYER_OF_INFARCT = lexicon.words("layer_of_infarct")
_NOT_ISCHEMIC = lexicon.words("not_ischemic")
# "no ischemic scar", "no scar of an infarct", "no LGE in a non-ischemic pattern"
_KIND = re.compile(
    r"(?P<not>non ?)?(?:ischemic|infarct(?:ion)?)(?: type| pattern(?: of)?| related)? $"
)
_KIND_AFTER = re.compile(
    r" (?:of|in|with|from)(?: an?)?(?: old)? (?:pattern of )?(?:(?P<not>non ?)?ischemic|infarct)"
)
_ALL_OVER = re.compile(r"\b(?:diffuse|global|circumferential)\b")
_CHAMBER = (
    r"(?:[lr]v|(?:left|right|both|either) ventricles?|ventricles|(?:ascending |thoracic )?aorta)"
    r"(?: cavity| chamber)?"
)
_BARE_NORMAL = re.compile(
    rf"\W*(?:the )?(?:(?:normal|unremarkable|inconspicuous) {_CHAMBER}"
    rf"|{_CHAMBER}(?: is| are)?(?: likewise| also)? (?:normal|unremarkable|inconspicuous|fine))\W*"
)
_WHOLE_NORMAL = re.compile(
    r"\W*(?:a )?(?:normal|unremarkable) (?:(?:cardiac|heart|cardiovascular|cmr) )*"
    r"(?:mri|mr|cmr|heart|study|scan|exam(?:ination)?|magnetic resonance(?: imaging)?)"
    r"(?: study| scan| exam(?:ination)?)?\W*"
)
_DISEASES = {name: lexicon.words(name) for name in ("amyloidosis", "hcm", "dcm")}
_INFILTRATE = re.compile(r"(?<!fat )(?<!fatty )\binfiltrati(?:on|ve)\b")
_FLUID = lexicon.words("fluid")
_PERICARDIAL = re.compile(r"pericardi|tamponade|heart")
_ELSEWHERE = re.compile(
    r"pleura|bilateral|sided|joint|abdom|ascit|perihepat|atelect|(?:left|right) basal|bibasal"
)
_OTHERWISE = ("other than", "except", "apart from", "aside from")
# Least mm: wall, Elliott 2014 (ESC); aortic root, Kawel-Boehm 2020.
_LARGE_MM = {"lv_wall_mm": ("lv_hypertrophy", 13), "aorta_mm": ("aortic_dilation", 40)}
# ml/m2 above which no adult is normal: upper limits of men (EACVI, Petersen 2019, EHJCI 20:1321).
# Words count more: an athlete's ventricle of 110 ml/m2 may be "normal in size".
_LARGE_VOLUME = {"lv_edvi_ml_m2": ("lv_dilation", 105), "rv_edvi_ml_m2": ("rv_dilation", 121)}
_EARLIER = re.compile(r"\b(?:previous\w*|prior|former\w*)\b")
_EF = {"lv_ef_percent": "lv_dysfunction", "rv_ef_percent": "rv_dysfunction"}
EF_WEAK = 50  # percent, as the reports' own grade begins


def said(sentence: str) -> Said:
    """Findings that the sentence speaks of: True where present, False where absent."""
    return dict(_said(sentence))


@functools.lru_cache(maxsize=1 << 16)
def _said(sentence: str) -> tuple[tuple[str, bool], ...]:
    text = normal(sentence)
    if text.startswith(NOT_UNDERSTOOD):
        return ()
    if ":" not in sentence and "?" not in sentence and _WHOLE_NORMAL.fullmatch(text):
        return tuple((name, False) for name in FINDINGS)
    found: Said = {}
    doubted: set[str] = set()
    parts = read_clauses(text)
    for finding, clause, at, present in mentions(parts):
        if clause.doubts(at):
            doubted.add(finding)
        elif not clause.skips(at):
            # Present wins over absent: "normal size, but dilated at the apex".
            found[finding] = found.get(finding, False) or present
    if not numbers_are_open(parts):
        for name, value in numbers.in_normal(text).items():
            if name in _EF:  # "normal EF (LV 63 %, RV 60 %)"
                found.setdefault(_EF[name], value < EF_WEAK)
            elif value >= _LARGE_MM.get(name, ("", float("inf")))[1]:
                found.setdefault(_LARGE_MM[name][0], True)
            elif value > _LARGE_VOLUME.get(name, ("", float("inf")))[1]:
                found.setdefault(_LARGE_VOLUME[name][0], True)
    if any(words in text for words in _OTHERWISE) and _BUT_THERE.search(text):
        found |= {"lge": True}
        for kind in ("infarct", "nonischemic_lge"):
            if found.get(kind) is False:
                del found[kind]
    if "infarct" in doubted:  # "infarct versus myocarditis: subendocardial LGE"
        found.pop("infarct", None)
    return tuple(found.items())


def numbers_are_open(parts: Iterable[Clause]) -> bool:
    """Return whether a clause with a number is doubted or skipped, so that its number implies nothing."""
    return any((p.doubted or p.skipped) and any(c.isdigit() for c in p.text) for p in parts)


class Mention(NamedTuple):
    """Words of a clause that affirm or deny a finding; the clause may doubt or skip them."""

    finding: str
    clause: Clause
    at: int  # position in the clause's text
    present: bool


def mentions(parts: Sequence[Clause]) -> Iterator[Mention]:
    """Findings that the clauses of a sentence name, in order."""
    before: list[str] = []  # chambers named in the clauses before
    for number, clause in enumerate(parts):
        named = _places(clause.text)
        if clause.denied and not (named or before):
            named = _named_next(clause, parts[number + 1 : number + 2])
        elif not named and _ADJECTIVE.fullmatch(clause.text):  # "dilated, hypertrophied RV"
            named = tuple(p for part in parts[number + 1 : number + 2] for p in _places(part.text))[
                :1
            ]
        for finding, at, present in _of_clause(clause, named, tuple(before)):
            if (
                finding in TISSUE_FINDINGS
                and _BARE_ENHANCEMENT.search(clause.text)
                and _NOT_WALL.search(" ".join(p.text for p in parts[max(number - 2, 0) : number]))
            ):
                continue  # "a mass with patchy enhancement"
            yield Mention(finding, clause, at, present)
        if len(named) == 2 and _together(clause.text, named) and {LV, RV} == {p for _, p in named}:
            before.append(BOTH)
        else:
            before += [place for _, place in named]


def _named_next(clause: Clause, following: Sequence[Clause]) -> Named:
    """The ventricle that the next item of a denied list names, as if at the end of this clause.

    "No dilatation, hypertrophy or dysfunction of the LV" denies a dilatation of the left ventricle alone.
    """
    places = [p for item in following if item.denies(0) for _, p in _places(item.text)]
    return tuple((len(clause.text), p) for p in places if p in (LV, RV))[:1]


@functools.lru_cache(maxsize=1 << 12)  # findings and concepts read them one after the other
def read_clauses(text: str) -> tuple[Clause, ...]:
    """Clauses of a normalised sentence, each ejection fraction of a right ventricle named so."""
    return tuple(split(numbers.labelled(text)))


def said_by_all(sentences: Iterable[str]) -> Said:
    """Findings of an impression; what is present in any sentence is present."""
    found: Said = {}
    for sentence in sentences:
        for finding, there in _said(sentence):
            found[finding] = found.get(finding, False) or there
    return found


def bits(what: Said) -> int:
    """Findings in one number, two bits each: present, absent.  `a & ~b == 0` where b states all
    that a states."""
    return sum(BITS[2 * FINDINGS.index(f) + (not there)] for f, there in what.items())


def opposite(told: Any) -> Any:
    """Bits of the opposite of everything that is stated, of a number or of arrays of them."""
    return ((told & IS_THERE) << 1) | ((told >> 1) & IS_THERE)


# Kinds of words: a rule is tried where a text has a word of its kind, which saves most searches.
PLACE, LARGE, SIZE, NORMAL, WEAK, FUNCTION, THICK, TISSUE, DISEASE, FLUID = (
    1 << n for n in range(10)
)
# Letters one of which stands in each word that the rules of a kind look for.
_LETTERS = {
    PLACE: "ventric|[lr]v|heart|chamber|cavit|atri|[lr]a|both|aort|sinus|pulmon|cava|mitral|tricusp|corona"
    "|valv|pericard",
    LARGE: "dilat|enlarg|ecta|aneurysm|increased",
    SIZE: "size|dimension|width|calib|volume|chamber|diameter",
    NORMAL: "normal|unremark|inconspic|fine",
    WEAK: "dysfunction|impair|cardiomyop|hypo|hf",
    FUNCTION: "function|contract|performance|fraction|ef|systolic",
    THICK: "hypertroph|thick|lvh|increase",
    TISSUE: "enhanc|lge|dge|uptake|scar|fibro|gadolin|infarct|ischemi|icm|\\bmi\\b",
    DISEASE: "amyloid|attr|cardiomyop|cm|hyp|infiltrat",
    FLUID: "effusion|fluid|collection",
}
_LISTS = {  # of lexicon.toml that the rules of a kind take their words from
    LARGE: ("large",),
    SIZE: ("size",),
    WEAK: ("weak",),
    FUNCTION: ("function",),
    THICK: ("thick", "thickness"),
    TISSUE: ("enhancement", "infarct"),
    DISEASE: ("amyloidosis", "hcm", "dcm"),
    FLUID: ("fluid",),
}


def _letters(kind: int) -> re.Pattern[str]:
    """Letters of a kind; any, where a list has a word without them: a lexicon may be extended."""
    letters = re.compile(_LETTERS[kind])
    words = [word for name in _LISTS.get(kind, ()) for word in lexicon.entries(name)]
    return letters if all(map(letters.search, words)) else re.compile("")


_OF_KIND = {kind: _letters(kind) for kind in _LETTERS}


@functools.lru_cache(maxsize=1 << 15)
def _kinds_of(word: str) -> int:
    return sum(kind for kind, letters in _OF_KIND.items() if letters.search(word))


def _kinds(text: str) -> int:
    """Kinds of words that a text has, as bits."""
    found = 0
    for word in text.split():
        found |= _kinds_of(word)
    return found


@functools.lru_cache(maxsize=1 << 14)
def _places(text: str) -> tuple[tuple[int, str], ...]:
    """Chambers that a clause names, each with its position."""
    if not _kinds(text) & PLACE:
        return ()
    return tuple((match.start(), str(match.lastgroup)) for match in _PLACES.finditer(text))


Found = Iterator[tuple[str, int, bool]]  # finding, where in the clause, whether present


@functools.lru_cache(maxsize=1 << 14)  # clauses recur more often than sentences
def _of_clause(
    clause: Clause, named: Named, before: tuple[str, ...]
) -> list[tuple[str, int, bool]]:
    kinds = _kinds(clause.text)
    found = list(_of_chambers(clause, _Owners(clause.text, named, before), kinds))
    if kinds & TISSUE:
        found += _of_tissue(clause)
    if kinds & DISEASE:
        found += _of_diseases(clause)
    if kinds & FLUID:
        found += _of_fluid(clause)
    return found


def _of_diseases(clause: Clause) -> Found:
    for finding, words in _DISEASES.items():
        if match := words.search(clause.text):
            yield finding, match.start(), not clause.denies(match.start())
    infiltrate = _INFILTRATE.search(clause.text)
    if infiltrate and clause.denies(infiltrate.start()):
        yield "amyloidosis", infiltrate.start(), False


def _of_fluid(clause: Clause) -> Found:
    if fluid := _FLUID.search(clause.text):
        denied = clause.denies(fluid.start()) or "physiologic" in clause.text
        if _PERICARDIAL.search(clause.text) or not _ELSEWHERE.search(clause.text):
            yield "pericardial_effusion", fluid.start(), not denied


class _Owners(NamedTuple):
    """Chambers that a clause names, and those named before it."""

    text: str
    named: Named
    before: tuple[str, ...]

    def of(self, at: int, default: str, loose: bool = False) -> list[str]:
        """Chambers that the words at a position are said of."""
        last = self.before[-1] if self.before else ""
        if not self.named and {LV, RV} <= set(self.before) and _VOLUMES.search(self.text):
            return [LV, RV]
        near = min(self.named, key=lambda p: abs(p[0] - at), default=(0, last or default))[1]
        if loose and not self.named and near not in (LV, RV, BOTH):
            near = default
        if len(self.named) == 2 and _together(self.text, self.named):
            return [place for _, place in self.named]
        return [LV, RV] if near == BOTH else [near]


def _of_chambers(clause: Clause, owners: _Owners, kinds: int) -> Found:
    """Sizes, function and thickness, each of the chamber that it is said of."""
    if kinds & (LARGE | SIZE):
        yield from _of_size(clause, owners)
    if kinds & NORMAL and _BARE_NORMAL.fullmatch(clause.text):
        for place in [place for _, place in owners.named]:
            for one in (LV, RV) if place == BOTH else (place,):
                if one in (LV, RV, AORTA):
                    yield _dilation(one), 0, False
                if one in (LV, RV):
                    yield f"{one}_dysfunction", 0, False
    if kinds & (WEAK | FUNCTION):
        yield from _of_function(clause, owners)
    if kinds & THICK:
        yield from _of_thickness(clause, owners)
    yield from _by_size(clause)


def _dilation(place: str) -> str:
    return "aortic_dilation" if place == AORTA else f"{place}_dilation"


def _of_size(clause: Clause, owners: _Owners) -> Found:
    text = clause.text
    large = list(_LARGE.finditer(text))
    for match in large:
        there = not (clause.denies(match.start()) or match.group().startswith(("non", "un")))
        if _CARDIOMYOPATHY.match(text, match.end()):
            continue
        sac = match.group().startswith("aneurysm")  # of a ventricle it is no dilation of it
        for place in owners.of(match.start(), "" if there else BOTH):
            if place == AORTA or (place in (LV, RV) and not sac):
                yield _dilation(place), match.start(), there
    fine = None if large else _FINE.search(text)
    if fine and not clause.denies(fine.start()):
        for match in _SIZE.finditer(text):
            for place in owners.of(match.start(), ""):
                if place in (LV, RV, AORTA):
                    yield _dilation(place), match.start(), False


def _of_function(clause: Clause, owners: _Owners) -> Found:
    text = clause.text
    for match in _WEAK.finditer(text):
        if match.group() in ("impaired", "hypokinetic") and (
            REGION.search(text) or not (owners.named or owners.before)
        ):
            continue
        for place in owners.of(match.start(), LV, loose=True):
            if place in (LV, RV) and not _OTHER_FUNCTION.search(text):
                yield f"{place}_dysfunction", match.start(), not clause.denies(match.start())
    if match := _FUNCTION.search(text):
        whose = owners.of(match.start(), LV, loose=True)
        named = {place for _, place in owners.named}
        if match.group().endswith(("ef", "fraction")) and not {RV, BOTH} & named:
            whose = [LV]  # that of the right ventricle was labelled
        yield from _function(clause, match.start(), whose)


def _of_thickness(clause: Clause, owners: _Owners) -> Found:
    text = clause.text
    thick = list(_THICK.finditer(text))
    for match in thick:
        of_wall = LV in owners.of(match.start(), LV) or _SEPTAL_HYPERTROPHY.search(text)
        if of_wall and "interatrial" not in text:
            there = not (clause.denies(match.start()) or match.group().startswith("non "))
            yield "lv_hypertrophy", match.start(), there
    wall = None if thick else _WALL.search(text)
    # "Pericardium with normal thickness" says nothing of the ventricle.
    of_other = wall and "wall" not in text and "other" in owners.of(wall.start(), LV)
    if wall and not of_other and _FINE.search(text):
        yield "lv_hypertrophy", wall.start(), False


def _by_size(clause: Clause) -> Found:
    """Sizes that are beyond what is normal in everyone; a size within says nothing."""
    if "mm" not in clause.text and "cm" not in clause.text:
        return
    for name, value, at in numbers.measured(clause.text):
        finding, least = _LARGE_MM.get(name, ("", 0))
        if finding and value >= least:
            yield finding, at, True


def _function(clause: Clause, at: int, places: list[str]) -> Found:
    text = clause.text
    if _NOT_SYSTOLIC.search(text):
        return
    if _EARLIER.search(text, 0, at):
        return  # "previous EF 25 %, now 55 %"
    weak, fine = _POOR.search(text), _FINE.search(text)
    of_words = weak or (fine and not _WEAK.search(text))
    stated = {} if of_words else numbers.ejection_fractions(text)
    for place in (p for p in places if p in (LV, RV)):
        if _LOW_NORMAL.search(text):
            yield f"{place}_dysfunction", at, False
        elif weak:
            yield f"{place}_dysfunction", weak.start(), not clause.denies(weak.start())
        elif fine and of_words:
            yield f"{place}_dysfunction", fine.start(), clause.denies(fine.start())
        elif (value := stated.get(f"{place}_ef_percent", stated.get("lv_ef_percent"))) is not None:
            yield f"{place}_dysfunction", at, value < EF_WEAK


def _of_kind(text: str, enhancement: re.Match[str]) -> str:
    """The finding that is denied where a denied enhancement is of one kind; "" where it is of any."""
    match = _KIND.search(text, 0, enhancement.start()) or _KIND_AFTER.match(text, enhancement.end())
    if not match:
        return ""
    return "nonischemic_lge" if match["not"] else "infarct"


def _together(text: str, named: Sequence[tuple[int, str]]) -> bool:
    """Return whether two chambers are named together: "left and right ventricles", "LV and RV"."""
    (first, _), (second, _) = named
    return bool(re.fullmatch(r".*\b(?:and|n?or)\s*(?:of\s+)?(?:the\s+)?", text[first:second])) and (
        len(text[first:second].split()) <= 5
    )


def _of_tissue(clause: Clause) -> Found:
    """Late enhancement, and of which kind."""
    text = clause.text
    infarct = _OF_INFARCT.search(text)
    # The last that is no mere technique: "LGE showing no scar" names the technique first.
    named = list(_ENHANCES.finditer(text))
    clear = [m for m in named if not clause.leaves_open(m.start())]
    if not clear and (hedged := [m for m in named if clause.doubts(m.start())]):
        at = hedged[-1].start()
        yield "lge", at, True
        if _NOT_ISCHEMIC.search(text):
            yield "nonischemic_lge", at, True
        elif _LAYER_OF_INFARCT.search(text):
            yield "infarct", at, True
    if clear and not _OF_PERICARDIUM.search(text):
        match = clear[-1]
        there = not clause.denies(match.start())
        if not there and (kind := _of_kind(text, match)):
            if kind == "infarct":
                yield "lge", match.start(), False
            yield kind, match.start(), False  # the other kind may be there
            return
        if not there and _OTHER_OWNER.search(text, 0, match.start()):
            return  # "the mass shows no late enhancement"
        own = text[max(m.end() for m in _ITEM.finditer(text, 0, match.start())) :]
        if not there and REGION.search(_EVERYWHERE.sub("", own)) and "corresponding" not in text:
            return  # absent there alone
        yield "lge", match.start(), there
        if not there:
            yield "infarct", match.start(), False
            yield "nonischemic_lge", match.start(), False
            return
        if _NOT_ISCHEMIC.search(text):
            yield "nonischemic_lge", match.start(), True
        mixed = len(clear) > 1 or not _NOT_ISCHEMIC.search(text)  # "and subepicardial scar"
        if mixed and _LAYER_OF_INFARCT.search(text) and not _ALL_OVER.search(text):
            yield "infarct", match.start(), True
    if not clear and _SHOWN.search(text) and (kind := _NOT_ISCHEMIC.search(text)):
        yield "lge", kind.start(), True
        yield "nonischemic_lge", kind.start(), True
    if infarct and not re.search(r"\bnon ?ischemic\b", text):
        there = not clause.denies(infarct.start())
        yield "infarct", infarct.start(), there
        if there and not clear and _SHOWN.search(text):
            yield "lge", infarct.start(), True
