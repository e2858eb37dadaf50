"""Findings that a sentence says are there, or are not.

Each state (large, weak, thick, ...) belongs to the nearest chamber that its clause names, or to the
last one named before.  What is doubted says nothing.  The words are those of case reports and of the
published prompts; `tests/test_wording.py` holds them to sentences of either kind.
"""

import functools
import re
from collections.abc import Iterable, Iterator
from typing import Any

from cmr_jax.wording.clauses import Clause, clauses, normal

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
# In bits, two a finding: "is there", and one place up, "is not there".
IS_THERE = 0x55555555
BITS = tuple(1 << place for place in range(2 * len(FINDINGS)))

LV, RV, BOTH, AORTA = "lv", "rv", "both", "aorta"
_PLACES = re.compile(
    r"(?P<both>\bbiventric\w+|\bboth ventricles|\bcardiac chambers"
    r"|\b(?:left and right|right and left) ventric\w+)"
    r"|(?P<lv>\bleft ventric\w+|\blv(?:ef|edvi?|esvi?)?\b)"
    r"|(?P<rv>\bright ventric\w+|\brv(?:ef|edvi?|esvi?)?\b)"
    r"|(?P<atrium>\b(?:left|right) atri\w+|\b[lr]a\b|\bbiatrial|\batri\w+)"
    r"|(?P<aorta>\baort(?:a|ic)(?! valve| stenosis| regurg| insuff)\w*)"
    r"|(?P<other>\b(?:pulmonary|vena cava|mitral|tricuspid|coronary|valv\w+|pericardi\w+))"
)
_LARGE = r"\b(?:non )?(?:dilat(?:ed|ation|ion)|enlarg(?:ed|ement)|ectatic|ectasia|aneurysm\w*)\b"
_SIZE = r"\b(?:size[sd]?|dimensions?|calib\w+|volumes?|chambers?|diameters?)\b"
_WEAK = (
    r"\b(?:dysfunction\w*|(?:systolic |ventricular |lv |rv )?impairment|cardiomyopathic"
    r"|(?:global(?:ly)?|diffuse(?:ly)?|severe|severely) hypokine\w+|hypocontractil\w+)\b"
)
_POOR = r"\b(?:reduced|decreased?|impaired|depressed|depression|poor(?:ly)?|low(?:ered)?|weak)\b"
_FUNCTION = r"\b(?:function\w*|contract\w+|performance|ejection fraction|[lr]?v?ef|systolic)\b"
_FINE = r"(?<!than )(?<!above )(?<!below )\b(?:normal|preserved|good|unremarkable|within normal limits|fair|intact)\b"
_THICK = (
    r"\b(?:hypertroph(?:y|ied)|thickened|thickening|lvh"
    r"|increased (?:\w+ ){0,2}(?:thickness|(?:lv|ventricular|myocardial) mass))\b"
)
_WALL = r"\b(?:wall )?thickness\b"
_ENHANCES = (
    r"\b(?:(?:late|delayed) (?:gadolinium )?enhancement|lge|hyper ?enhancement|contrast uptake"
    r"|scar\w*|(?:myocardial|wall|septal|focal|replacement) fibrosis)\b"
)
_OF_INFARCT = r"\b(?:infarct\w*|(?<!non )(?<!non)ischemi\w+ (?:cardiomyopathy|scar\w*|injury))\b"
_LAYER_OF_INFARCT = r"(?<!non )\b(?:subendocardial|transmural)\b"
_NOT_ISCHEMIC = (
    r"\b(?:non ?ischemic (?:pattern|origin)|mid ?(?:wall|myocardi\w+)|intramyocardial|intramural"
    r"|patchy|insertion points?|sub ?epicardial)\b"
)
_ALL_OVER = r"\b(?:diffuse|global|circumferential)\b"
_WHOLE_NORMAL = r"^(?:a )?(?:normal|unremarkable) (?:cardiac |heart |cmr |study|examination|exam)"
EF_WEAK = 50  # percent, as the reports' own grade begins


def said(sentence: str) -> Said:
    """Of each finding that the sentence speaks of, whether it is there."""
    return dict(_said(sentence))


@functools.lru_cache(maxsize=1 << 16)
def _said(sentence: str) -> tuple[tuple[str, bool], ...]:
    if re.search(_WHOLE_NORMAL, normal(sentence)):
        return tuple((name, False) for name in FINDINGS)
    found: Said = {}
    place = ""
    for clause in clauses(sentence):
        named = list(_places(clause.text))
        if not clause.doubtful:
            for finding, there in _of_clause(clause, named, place):
                # What is there outweighs: "normal size, but dilated at the apex".
                found[finding] = found.get(finding, False) or there
        place = named[-1][1] if named else place
    return tuple(found.items())


def said_by_all(sentences: Iterable[str]) -> Said:
    """Of an impression; what is said to be there anywhere is there."""
    found: Said = {}
    for sentence in sentences:
        for finding, there in _said(sentence):
            found[finding] = found.get(finding, False) or there
    return found


def bits(what: Said) -> int:
    """In one number, two bits a finding: is there, is not there.  `a & ~b == 0` where b says all
    that a says."""
    return sum(BITS[2 * FINDINGS.index(f) + (not there)] for f, there in what.items())


def opposite(told: Any) -> Any:
    """Bits of the opposite of everything that is told, of a number or of arrays of them."""
    return ((told & IS_THERE) << 1) | ((told >> 1) & IS_THERE)


def _places(text: str) -> Iterator[tuple[int, str]]:
    for match in _PLACES.finditer(text):
        yield match.start(), str(match.lastgroup)


def _of_clause(clause: Clause, named: list[tuple[int, str]], before: str):
    yield from _of_chambers(clause, named, before)
    yield from _of_tissue(clause)
    for finding, words in (
        ("amyloidosis", r"\bamyloid\w*"),
        (
            "hcm",
            r"\b(?:hypertrophic (?:obstructive )?cardiomyopathy|ho?cm|asymmetric\w* septal hyp\w+)\b",
        ),
        (
            "dcm",
            r"\b(?:dilated cardiomyopathy|dcm|nicm|non ?ischemic (?:dilated )?cardiomyopathy)\b",
        ),
    ):
        if match := re.search(words, clause.text):
            yield finding, not clause.denies(match.start())
    fluid = re.search(r"\b(?:effusion|fluid)\b", clause.text)
    if fluid and re.search(r"pericardi|tamponade|heart", clause.text):
        yield "pericardial_effusion", not clause.denies(fluid.start())


def _of_chambers(clause: Clause, named: list[tuple[int, str]], before: str):
    """Sizes, function and thickness, each of the chamber that it is said of."""
    text = clause.text

    def of(at: int, default: str) -> list[str]:
        near = min(named, key=lambda p: abs(p[0] - at), default=(0, before or default))[1]
        if len(named) == 2 and _together(text, named):
            return [place for _, place in named]
        return [LV, RV] if near == BOTH else [near]

    for match in re.finditer(_LARGE, text):
        there = not (clause.denies(match.start()) or match.group().startswith("non "))
        if re.match(r"\s+cardiomyopathy", text[match.end() :]):
            continue
        for place in of(match.start(), ""):
            if place in (LV, RV, AORTA):
                yield f"{'aortic' if place == AORTA else place}_dilation", there
    for match in re.finditer(_SIZE, text):
        if re.search(_FINE, text) and not re.search(_LARGE, text):
            for place in of(match.start(), ""):
                if place in (LV, RV, AORTA):
                    yield f"{'aortic' if place == AORTA else place}_dilation", False
    for match in re.finditer(_WEAK, text):
        for place in of(match.start(), LV):
            if place in (LV, RV) and not re.search(r"\bdiastolic\b", text):
                yield f"{place}_dysfunction", not clause.denies(match.start())
    if match := re.search(_FUNCTION, text):
        yield from _function(clause, of(match.start(), LV))
    if match := re.search(_THICK, text):
        if LV in of(match.start(), LV):
            yield "lv_hypertrophy", not clause.denies(match.start())
    elif re.search(_WALL, text) and re.search(_FINE, text):
        yield "lv_hypertrophy", False


def _function(clause: Clause, places: list[str]):
    text = clause.text
    if re.search(r"\bdiastolic (?:dys)?function", text):
        return
    number = re.search(r"(?:fraction|ef)\b\D{0,24}?(\d\d)(?:\s*(?:-|to)\s*(\d\d))?\s*%", text)
    weak = re.search(_POOR, text)
    for place in (p for p in places if p in (LV, RV)):
        if weak:
            yield f"{place}_dysfunction", not clause.denies(weak.start())
        elif re.search(_FINE, text) and not re.search(_WEAK, text):
            yield f"{place}_dysfunction", False
        elif number:
            yield f"{place}_dysfunction", int(number.group(2) or number.group(1)) < EF_WEAK


def _together(text: str, named: list[tuple[int, str]]) -> bool:
    """Whether two chambers stand as one: "left and right ventricles", "LV and RV"."""
    (first, _), (second, _) = named
    return bool(re.fullmatch(r".*\band\s*(?:the\s+)?", text[first:second])) and (
        len(text[first:second].split()) <= 4
    )


def _of_tissue(clause: Clause):
    """Late enhancement, and of which kind."""
    text = clause.text
    infarct = re.search(_OF_INFARCT, text)
    # The last: "LGE showing no scar" names the technique first.
    if match := next(reversed(list(re.finditer(_ENHANCES, text))), None):
        there = not clause.denies(match.start())
        if re.search(r"pericardial (?:late|delayed)", text):
            return
        yield "lge", there
        if not there:
            yield from (("infarct", False), ("nonischemic_lge", False))
            return
        if re.search(_NOT_ISCHEMIC, text):
            yield "nonischemic_lge", True
        elif re.search(_LAYER_OF_INFARCT, text) and not re.search(_ALL_OVER, text):
            yield "infarct", True
    if infarct and not re.search(r"\bnon ?ischemic\b", text):
        yield "infarct", not clause.denies(infarct.start())
