"""Volumes, masses and relaxation times that a sentence states, each of the ventricle or tissue it belongs to.

A sentence is read from left to right: a ventricle, what is measured of it, a value with its unit.  A value
belongs to the measure that was named last, and the measure to the ventricle named with it or before it;
the unit says whether a volume is indexed to body surface.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_NUMBER = r"\d+(?:\.\d+)?"
_UNIT = r"(?:ml|cc|g)(?:\s*/\s*m2)?"
_QUANTITY = rf"{_NUMBER}\s*(?:{_UNIT}|ms\w*|%)?"
_STEP = re.compile(
    r"(?P<measure>\b(?:(?P<own>lv|rv|left ventric\w+|right ventric\w+) ?)?(?:"
    r"(?P<volume>ed(?=vi?\b)|es(?=vi?\b)|end ?diastolic(?= volume)|end ?systolic(?= volume))(?: ?volumes?\b|v)"
    r"|(?P<mass>(?:(?:myocardial|muscle|ventricular|end ?diastolic) )*mass\b|(?<=lv)m(?=i?\b)))"
    r"(?P<index>i\b| ?index\w*| ?\(index\w*\)|i? ?/ ?bsa)?)"
    r"|(?P<relaxation>\bt2(?: ?\* ?| star\b)|\bt[12]\b(?!\*| ?w|[ -]?(?:weighted|stir|dark))|\becv\b"
    r"|\bextracellular volume\b)"
    r"|\b(?P<elsewhere>[lr]a|atri\w+|(?:[lr]v)?svi?|stroke|regurgita\w+|forward|output|ef|ejection|lge|scars?|infarct\w*"
    r"|enhanc\w+|body|thromb\w+|tumou?r|sept\w+ (?:thick\w+|measur\w+)|ti|tr|te)\b"
    r"|\b(?P<lv>lv\w*|left ventric\w*|left heart)\b|\b(?P<rv>rv(?!sp|o)\w*|right ventric\w*|right heart)\b"
    r"|\b(?P<tissue>blood|liver|hepatic|spleen|splenic|skeletal|pericard\w+|fat)\b|\b(?P<post>post ?contrast)\b"
    r"|\b(?P<indexed>index\w*|bsa)\b|\b(?P<now>now|current\w*|today)\b"
    r"|\b(?P<earlier>previous\w*|prior|formerly|last|baseline|compared)\b"
    rf"|(?:\bby {_QUANTITY} ?to ?|\bfrom {_QUANTITY} ?(?:to|->) ?|{_QUANTITY} ?-> ?)?"
    rf"(?<![\w.*])(?P<value>{_NUMBER})(?:\s*(?:-|to)\s*(?P<high>{_NUMBER}))?"
    r"(?:\s*(?:(?P<ml>ml|mls|cc)|(?P<g>g|gr|grams?)|(?P<ms>ms|msecs?|milliseconds)|(?P<percent>%)|(?P<other>[a-z]+))"
    r"(?P<by>\s*/\s*m2)?(?!\w))?"
)
# One of these stands in every text with a volume, mass or relaxation time.
_ANY = re.compile(r"ml/m2|e[ds]v|stolic volume|mass|lvm|t1|t2|ecv|extracellular")
_ADJACENT = re.compile(
    r"[\s:=(,|/]*(?:(?:is|was|of|at|measures|measured|value|values|about|approximately|ca|~|by bsa|indexed"
    r"|\((?:ml(?:/m2)?|g(?:/m2)?|ms|%)\)|index|fraction|mapping|times?|relaxation|myocardial|native|septal|global|mean)[\s:=(|]*)*"
)
_JOINED = re.compile(r"\s*(?:/|and|,|&)\s*")
_BESIDE = re.compile(r"\s*(?:native |pool |muscle )*")
_VALUES = re.compile(rf"(?:\s*(?:/|,|and|&)\s*{_QUANTITY})*")
_FOLLOWING = re.compile(r"/(?! ?m2)|,|and|&")
_SHARE = re.compile(r"% of (?:the )?(?:total )?$")
_PAST = re.compile(
    r"\s*(?:would|indicates?\b|suggests?\b(?! of)|on (?:the )?(?:prior|previous)|previously|formerly|before\b"
    r"|in (?:19|20)\d\d)"
)
_BY_SURFACE_NEXT = re.compile(r"\s*[(,;/]\s*\d[\d.]*\s*(?:ml|g)\s*/\s*m2")
_ENDED = re.compile(r"[),;]")
_OF = re.compile(r"\s*(?:of |in )?(?:the )?")
_ENLARGED = re.compile(r"(?:dilated|enlarged)\b[^,;]{0,30}$")  # "RV is enlarged at 126 ml/m2"
_ATRIUM = re.compile(r"[lr]a$|atri")
_BRACKET = re.compile(r"[(\[][^()\[\]]*$")

_RELAXATION = {"t1": "t1", "t2": "t2", "ecv": "ecv", "extracellular volume": "ecv"}
_TISSUES = ("t1", "t2", "t2star", "ecv")


class Measure(NamedTuple):
    """A quantity that a value may be of, and its ventricle."""

    chamber: str  # lv, rv, "" where none is named
    what: str  # edv, esv, mass, t1, t2, t2star, ecv
    indexed: bool
    end: int  # where its words end


def measured(text: str) -> Iterator[tuple[str, float, int]]:
    """Name, value and place of each volume, mass or relaxation time in normalised text.

    Names end in their unit: lv_edv_ml, lv_edvi_ml_m2, lv_massi_g_m2, t1_ms, ecv_percent, ...
    """
    if not _ANY.search(text):
        return
    chamber = ""  # the last ventricle
    # Measures whose values are still to come, or the one that had its value.
    waiting: list[Measure] = []
    had = indexed = False
    index_end = 0
    earlier: re.Match[str] | None = None  # "previously", which a bracket or a comma may end
    away: re.Match[str] | None = None  # another organ or tissue, whose values are not asked for
    for step in _STEP.finditer(text):
        if step["measure"] or step["relaxation"]:
            made = _measure(step, chamber)
            joined = waiting and not had
            joined = joined and _JOINED.fullmatch(text, waiting[-1].end, step.start())
            waiting = [*waiting, made] if joined else [made]
            if indexed and _BESIDE.fullmatch(text, index_end, step.start()):
                waiting[-1] = waiting[-1]._replace(indexed=True)  # "indexed LVEDV 110"
            had = indexed = False
            if earlier and _ENDED.search(text, earlier.end(), step.start()):
                earlier = None
            chamber = made.chamber if step["own"] else chamber
            beside = away and _BESIDE.fullmatch(text, away.end(), step.start())
            if beside or _SHARE.search(text, 0, step.start()):
                waiting = []  # "scar mass", "blood T1", "22 % of LV mass"
            away = None
        elif step["lv"] or step["rv"]:
            chamber = "lv" if step["lv"] else "rv"
            if waiting and _OF.fullmatch(text, waiting[-1].end, step.start()):
                waiting = [m._replace(chamber=chamber, end=step.end()) for m in waiting]
        elif step["elsewhere"] or step["tissue"] or step["post"]:
            away = step
            waiting = [m for m in waiting if not _ends(m, step)]
            chamber = "" if _ATRIUM.match(step.group()) else chamber
        elif step["indexed"]:
            indexed, index_end = True, step.end()
        elif step["now"]:
            earlier = None
        elif step["earlier"]:
            earlier = step
        elif step["by"] and not waiting and chamber and _ENLARGED.search(text, 0, step.start()):
            yield f"{chamber}_edvi_ml_m2", float(step["value"]), step.start()
        elif waiting and not earlier and not _PAST.match(text, step.end()):
            if not had and len(waiting) > 1 + _values_after(text, step.end()):
                waiting = waiting[-1:]  # "T1, T2 and ECV fraction (0.25)": of the last
            if found := _named(step, waiting[0], indexed, text, waiting[-1].end):
                yield (*found, waiting[0].end)
                had = len(waiting) == 1
                waiting = waiting if had else waiting[1:]
                waiting[-1] = waiting[-1]._replace(end=step.end())
            indexed = False


def _values_after(text: str, at: int) -> int:
    """How many values follow in the same list: "143 / 55 ml" has one after the first."""
    listed = _VALUES.match(text, at)
    return len(_FOLLOWING.findall(listed.group())) if listed else 0


def _measure(step: re.Match[str], chamber: str) -> Measure:
    if what := step["relaxation"]:
        return Measure("", _RELAXATION.get(what.strip(), "t2star"), False, step.end())
    own = (step["own"] or chamber)[:1]
    if step["mass"]:
        what = "mass"
    else:
        what = "edv" if step["volume"].startswith(("ed", "end d", "endd")) else "esv"
    return Measure({"l": "lv", "r": "rv"}.get(own, ""), what, bool(step["index"]), step.end())


def _ends(measure: Measure, step: re.Match[str]) -> bool:
    """Return whether these words end the reach of a measure."""
    if measure.what in _TISSUES:
        return bool(step["tissue"] or step["post"])
    return bool(step["elsewhere"])


def _named(
    step: re.Match[str], measure: Measure, indexed: bool, text: str, start: int
) -> tuple[str, float] | None:
    """Name and value of a number behind a measure, whose words end at `start`; None if its unit is another's."""
    value = float(step["value"])
    if step["high"]:
        if _BRACKET.search(text, 0, step.start()):
            return None  # limits of what is normal
        value = (value + float(step["high"])) / 2
    bare = not any(step[unit] for unit in ("ml", "g", "ms", "percent", "other"))
    if bare and not _ADJACENT.fullmatch(text[start : step.start("value")]):
        return None
    what, chamber = measure.what, measure.chamber or "lv"
    if what == "ecv":
        percent = 100 * value if value < 1 else value
        return ("ecv_percent", percent) if bare or step["percent"] else None
    if what in _TISSUES:
        return (f"{what}_ms", value) if bare or step["ms"] else None
    unit = "g" if what == "mass" else "ml"
    if not (bare or step[unit]) or (what == "mass" and chamber == "rv"):
        return None
    # "LVEDVi 110 ml" lacks its "/m2", "LVEDVi 165 ml (88 ml/m2)" does not.
    by_name = measure.indexed and not _BY_SURFACE_NEXT.match(text, step.end())
    by_surface = bool(step["by"]) or by_name or (bare and indexed)
    return (f"{chamber}_{what}i_{unit}_m2" if by_surface else f"{chamber}_{what}_{unit}", value)
