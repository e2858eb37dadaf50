"""Sentences in one form: lower case, one space, American English, one way to write values and headings."""

import functools
import re

from cmr_jax.wording import languages, spelling

LONGEST = 2000  # characters of a sentence; the time to read one grows faster than its length

# Behind the words that it stands for: "ejection fraction (EF) of 30 %".
_ABBREVIATION = re.compile(
    r"\((?:[lr][va]|(?:[lr]v)?ef|[dl]?lge|dge|[lr]vh|hcm|dcm|tte|tee|cmr|mri)\)"
)
_NORMAL_LIST = re.compile(
    r"\b((?:normal|unremarkable) (?:[\w-]+ ){0,4}(?:size|volumes?|dimensions?|thickness)(?:,| and|, and) )"
    r"(?=wall thickness|(?:global )?(?:systolic )?function(?! of))"
)
_OF_VENTRICLE = re.compile(
    r"\b(ef|ejection fraction) of (?:the )?((?:left|right) ventricle|[lr]v)\b"
)
_VALUE_FIRST = re.compile(r"(\d+(?:\.\d+)?) ?% ([lr]vef)\b(?! ?[\d:=(]| of| is)")
_ADJECTIVE = r"(?:\w+ly )?(?:dilated|enlarged|hypertrophied|thickened|impaired|hypokinetic|akinetic|globular|thinned)"
_SHORT = [  # letters without which a rule finds nothing, the rule, what stands instead
    ("n't", re.compile(r"\bcan't\b"), "cannot"),
    ("n't", re.compile(r"n't\b"), " not"),
    ("absence d", re.compile(r"\babsence d(?:e |')"), "absence of "),
    (" unlike ", re.compile(r",? unlike (?:the )?\w+(?: \w+)?,"), ""),
    ("far from", re.compile(r"\bfar from normal\b"), "reduced"),
    (">", re.compile(r"\s*=>\s*"), " -> "),
    ("→", re.compile(r"\s*→\s*"), " -> "),
    (
        "grown",
        re.compile(r"\bgrown from \d+(?:\.\d+)?\s*(?:[cm]m)?\s+to\s+(?=\d)"),
        "grown to ",
    ),
    (  # "left and right ventricular ejection fractions of 19 % and 24 %"
        "and right",
        re.compile(
            r"\bleft and right ventric\w+ (?:ef|ejection fraction)s?\b([^\d;.]{0,16})"
            r"(\d+(?:\.\d+)?) ?%? ?(?:/|and) ?(?=\d)"
        ),
        r"lvef\1\2 %, rvef ",
    ),
    (  # "a dilated, hypokinetic left ventricle" is one thing
        ", ",
        re.compile(
            rf"\b((?:an?|the) {_ADJECTIVE}), (?={_ADJECTIVE} (?:(?:left|right) ventric|[lr]v\b))"
        ),
        r"\1 ",
    ),
    ("and/or", re.compile(r"\band/or\b"), "or"),
    ("nl", re.compile(r"\bnl\b"), "normal"),
    ("fxn", re.compile(r"\bfxn\b"), "function"),
    ("asc", re.compile(r"\basc\.? (?:ao|aorta)\b"), "ascending aorta"),
    ("q", re.compile(r"\s*(?:/|\bper\b) ?(?:square met(?:er|re)s?|s?qm|sq m)\b"), "/m2"),
    ("m2", re.compile(r"\s*(?:/|\bper\b) ?m2\b"), "/m2"),
    ("between", re.compile(r"\bbetween (\d+(?:\.\d+)?) ?(?:%|mm|ml)? and (?=\d)"), r"\1-"),
    (
        "(",
        re.compile(r"\b(ef|ejection fraction|edvi?|esvi?) ?\(((?:left|right) ventric\w+|[lr]v)\)"),
        r"\2 \1",
    ),
    ("ef of", _OF_VENTRICLE, r"\2 \1"),
    ("fraction of", _OF_VENTRICLE, r"\2 \1"),
    (  # "LVEF/RVEF 62/58 %", "LVEF and RVEF are 62 % and 58 %"
        "rvef",
        re.compile(r"\blv ?ef ?(?:/|and) ?rv ?ef\b([^\d;.]{0,12})(\d+) ?%? ?(?:/|and) ?(?=\d)"),
        r"lvef\1\2 %, rvef ",
    ),
    (
        "/",
        re.compile(
            r"\b(?:lv ?/ ?rv (edvi?|esvi?)|(edvi?|esvi?) lv ?/ ?rv)\b[: ]*(\d+) ?/ ?(\d+)\s*(ml/m2|ml)"
        ),
        r"lv \1\2 \3 \5, rv \1\2 \4 \5",
    ),
    ("% lvef", _VALUE_FIRST, r"\2 \1 %"),
    ("% rvef", _VALUE_FIRST, r"\2 \1 %"),
    ("wall thickness", _NORMAL_LIST, r"\1normal "),  # "normal size, wall thickness and function"
    ("function", _NORMAL_LIST, r"\1normal "),
]
# "Mid-wall, linear LGE" is "mid-wall linear LGE".
_LAYER = re.compile(
    r"\b((?:mid|sub)[ -]?(?:wall|\w+cardial)|intramural|transmural|patchy), (?=(?:\w+ ){0,2}(?:d?lge|late|scar))"
)
# "LGE: none" is "LGE none"; a heading says nothing.
_HEADING = re.compile(r"^\s*(?:impression|conclusions?|summary|findings|comments?|opinion)\s*:\s*")
_LABEL = re.compile(r"((?:^|[.;,] )(?!\w+ (?:or|versus|vs)\b)(?:\w+ ){0,2}\w+)\s*:\s+")
_NUMBERING = re.compile(r"^\s*(?:\d+[.)](?!\d)|[-*•])\s*")
_DASH = re.compile(r"[\u2010-\u2015\u2212]")
_DECIMAL_COMMA = re.compile(r"(\d),(\d{1,2})(?=\s*(?:%|mm|cm|ml))")
_ABOUT = re.compile(r"\b(max|min|approx|ca)\.(?= ?\d)")
_SPREAD = re.compile(r"\s*(?:±|\+/-)\s*\d+(?:\.\d+)?(?=\s*(?:%|m|g|\W*$))")
_SIGN = re.compile(r"\(\s*([-+])\s*\)")
_HYPHEN = re.compile(r"([a-z])-([a-z])")


@functools.lru_cache(maxsize=1 << 12)
def normal(text: str) -> str:
    """Lower case, one space, American English, no numbering.

    What is longer than `LONGEST` characters is no sentence: it is marked as not understood.
    """
    text = " ".join(text.lower().split())
    if len(text) > LONGEST:
        return languages.NOT_UNDERSTOOD + text
    text = spelling.corrected(languages.english(_NUMBERING.sub("", text)))
    text = (
        text.replace("ischaem", "ischem").replace("oedema", "edema").replace("calibre", "caliber")
    )
    text = text.replace("vs.", "vs").replace("m^2", "m2")
    if not text.isascii():
        text = _DASH.sub("-", text).replace("m²", "m2")
    if "," in text:
        text = _LAYER.sub(r"\1 ", _DECIMAL_COMMA.sub(r"\1.\2", text))
    if "." in text:
        text = _ABOUT.sub(r"\1", text)
    if "±" in text or "+/-" in text:
        text = _SPREAD.sub("", text)
    for letters, pattern, instead in _SHORT:
        if letters in text:
            text = pattern.sub(instead, text)
    if "(" in text:
        text = _SIGN.sub(r" \1", _ABBREVIATION.sub(" ", text))
    if ":" in text:
        text = _HEADING.sub("", text)
        text = _LABEL.sub(r"\1 ", _LABEL.sub(r"\1 ", text))  # "LV: size: normal"
    if "-" in text:
        text = _HYPHEN.sub(r"\1 \2", text)
    return " ".join(text.split())
