"""Finds the impression of a report among its sections, and its sentences."""

import re

from data_prep.folding import fold
from data_prep.read.reject import Why
from data_prep.reports.headings import Kind
from data_prep.reports.markup import clean
from data_prep.reports.sections import Section, sections

LONGEST = 6000
LONGEST_NOTHING = 200  # an impression of more letters says something
RANKS = (Kind.IMPRESSION, Kind.CLINICAL, Kind.SUMMARY, Kind.PRELIMINARY)
CORRECTS = re.compile(
    r"correct|corrig|korrig|korrek|berichtig|rettif|erratum|errata|typo\b|revis|supersed|replac"
    r"|remplac|ersetz|исправ|更正|訂正|修正|정정"
)
# The whole of an impression that says nothing itself.  Folded text.
PLACE = (
    r"(?:the\s+)?(?:above|below|findings?|body(?:\s+of\s+(?:the\s+)?report)?|text|narrative|report"
    r"|addendum|attached(?:\s+\w+)?|separate\s+report|full\s+report|previous\s+report|comments?)"
)
ELSEWHERE = re.compile(
    rf"(?:please\s+)?(?:(?:see|refer\s+to|cf)\.?|as(?:\s+(?:described|noted|detailed|stated|per|in))*)\s+{PLACE}(?:\s+{PLACE})?"
    rf"(?:\s+(?:and|for)\s+[\w\s]{{1,40}})?|{PLACE}"
    r"|(?:bitte\s+)?(?:siehe|s\.?)\s*(?:oben|o\.?|befund|text|unten)|wie\s+oben(?:\s+beschrieben)?"
    r"|(?:voir|cf\.?)\s+(?:ci-dessus|supra|resultats?|texte|compte\s+rendu|plus\s+haut)"
    r"|(?:ver|vease|veja)\s+(?:arriba|hallazgos|cuerpo.*|texto|acima|achados|descripcion|informe)"
    r"|(?:vedi|si\s+veda)\s+(?:sopra|referto|testo|descrizione)|come\s+sopra|como\s+(?:arriba|acima)"
    r"|zie\s+(?:boven|bevindingen|verslag|tekst)|se\s+(?:ovan|ovenfor|over|utlatande|beskrivelse)"
    r"|jak\s+(?:wyzej|w\s+opisie)|viz\s+(?:vyse|popis)|см\.?\s*(?:выше|описание|протокол)"
    r"|yukarida(?:ki)?(?:\s+\w+){0,2}|见上(?:述|文)?|同上|如上(?:所述)?|見上|上記(?:参照|の通り|のとおり)?"
    r"|所見(?:参照|欄参照)|상기(?:\s*참조|\s*소견)?|위와\s*같음"
)
NOTHING = re.compile(
    r"n/?a|none|nil|null|not\s+applicable|pending|to\s+follow|tbd|keine?|entfallt|neant|ninguna?|nessuna?"
    r"|geen|inga|brak|yok|нет|无|無|なし|없음|\W*"
)


def extract(report: str) -> str | Why:
    """The impression with its own lines and numbers, or why there is none.

    Of an original and its addenda, each addendum's impression follows on a new line, or takes the
    place of what was there where the addendum says that it corrects.
    """
    original, addenda = _parts(sections(clean(report)))
    found = _impression(original)
    if isinstance(found, Why) and addenda:
        # Some systems put the whole report under the word addendum.
        whole = _impression([s for _, part in addenda for s in part])
        return whole if isinstance(whole, str) else found
    for corrects, part in addenda:
        added = _impression(part)
        if isinstance(added, str) and isinstance(found, str):
            found = amended(found, added, corrects)
    if isinstance(found, str) and len(found) > LONGEST:
        return Why.ENDLESS_IMPRESSION
    return found


def amended(first: str, added: str, corrects: bool) -> str:
    """An impression after an addendum: the new one alone where it corrects or repeats the old."""
    if corrects or first in added:
        return added
    return first if added in first else f"{first}\n{added}"


def corrects(text: str) -> bool:
    """Whether words say that what follows takes the place of what was."""
    return bool(CORRECTS.search(fold(text)))


def _parts(every: list[Section]) -> tuple[list[Section], list[tuple[bool, list[Section]]]]:
    """The original's sections, and those of each addendum with whether it corrects."""
    original: list[Section] = []
    addenda: list[tuple[bool, list[Section]]] = []
    part = original
    for section in every:
        if section.kind is Kind.ORIGINAL:
            part = original
        elif section.kind is Kind.ADDENDUM:
            part = []
            addenda.append((corrects(section.heading + section.body), part))
        part.append(section)
    return original, addenda


def _impression(part: list[Section]) -> str | Why:
    """The strongest impression of a report's sections; one of each exam it describes."""
    why = Why.NO_IMPRESSION
    for rank in RANKS:
        bodies = []
        for run, section in _runs(part, rank):
            if _is_elsewhere(section.body):
                why = Why.REFERS_ELSEWHERE
            elif not _says_nothing(section.body):
                bodies.append((run, section.body))
        described = [b for b in bodies if b[0] > 0] or bodies
        if described:
            # The last of each run of findings; the same words twice are said once.
            return "\n".join(dict.fromkeys(dict(described).values()))
    return why


def _runs(part: list[Section], rank: Kind) -> list[tuple[int, Section]]:
    """Sections of a rank, with how many times findings were described before each."""
    run, found = 0, []
    for section in part:
        run += section.kind is Kind.FINDINGS
        # What a referrer thinks comes before the findings.
        if section.kind is rank and (run or rank is not Kind.CLINICAL):
            found.append((run, section))
    return found


def _is_elsewhere(body: str) -> bool:
    return len(body) <= LONGEST_NOTHING and bool(ELSEWHERE.fullmatch(_bare(body)))


def _says_nothing(body: str) -> bool:
    return len(body) <= LONGEST_NOTHING and bool(NOTHING.fullmatch(_bare(body)))


def _bare(body: str) -> str:
    words = re.sub(r"^\s*(?:\d{1,2}[.)]|[-•*])\s*", "", fold(body))
    return " ".join(words.split()).strip(" .:;-*_。[]()")


# A point after one of these ends no sentence, nor after a single letter.  Folded.
SHORT_WORDS = frozenset(
    "dr drs mr mrs ms prof vs approx ca cf fig nr st e.g i.e etc incl resp max min z.b bzw d.h u.a "
    "ggf evtl inkl abb vgl sog bds p.ex env ej aprox sr sra dra dott sig ecc nb "
    "pkt tzn tj np m.in bl.a f.eks t.ex bl a m.fl o.a bijv d.w.z т.е т.к т.д см рис мм др".lower().split()
)
ITEM = re.compile(r"[ \t]*(?:\(?\d{1,2}[.)、．](?!\d)|[-–•*·])[ \t]*(?=\S)")
ITEM_INLINE = re.compile(r"(?<=[.;!?。；！？])[ \t]*\(?\d{1,2}[.)、．](?!\d)[ \t]*(?=\S)")
BREAK = re.compile(r"(?<=[.;!?])[ \t]+(?=(\S))|(?<=[。！？；])[ \t]*(?=\S)")


def sentences(impression: str) -> list[str]:
    """Sentences without their numbers or bullets; wrapped lines are one.

    Neither a decimal point nor an abbreviation's ends a sentence; an ideographic full stop always
    does, and other stops only before a capital, a bracket or a script without capitals.
    """
    found: list[str] = []
    for line in _unwrapped(impression):
        line = ITEM_INLINE.sub(" ", line[item.end() if (item := ITEM.match(line)) else 0 :])
        start = 0
        for stop in BREAK.finditer(line):
            if _ends(line[start : stop.start()], stop.group(1)):
                found.append(line[start : stop.start()].strip())
                start = stop.end()
        found.append(line[start:].strip())
    return [piece for piece in found if re.search(r"\w{2}", piece)]


def _unwrapped(text: str) -> list[str]:
    """Lines, with those that go on in the next joined to it."""
    lines: list[str] = []
    for line in text.split("\n"):
        words, last = line.strip(), lines[-1].rstrip() if lines else ""
        is_open = last.endswith(",") or (words[:1].islower() and last[-1:] not in tuple(".;:!?"))
        if words and last and is_open and not ITEM.match(line):
            lines[-1] = f"{last} {words}"
        else:
            lines.append(line)
    return lines


def _ends(sentence: str, following: str | None) -> bool:
    if following is None:  # after an ideographic stop
        return True
    word = (sentence.split() or [""])[-1].strip("([")
    is_short = fold(word[:-1]) in SHORT_WORDS and not word[:-1].isupper()  # MR. is no Mr.
    if word[-1:] == "." and (is_short or (len(word) == 2 and word[0].isalpha())):
        return False
    return not (following.islower() or following.isdigit()) and (
        following.isalpha() or following in '[<("„«¿¡'
    )
