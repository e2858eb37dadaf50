"""Takes identifiers out of free text and leaves placeholders.

Known strings of this patient first, then patterns, then names after a cue, then institutions.
What still looks like an identifier afterwards makes the text suspect: the caller withholds it.
"""

import re

# Eponyms and words that stand where a name would and are none.
NOT_NAMES = frozenset(
    "Fontan Ross Takotsubo Fabry Ebstein Kawasaki Chagas Marfan Simpson Holter Doppler Valsalva "
    "Cardiac Patient Report Findings Impression Normal Mild Moderate Severe".lower().split()
)
MONTH = (
    r"(?:jan(?:uary|uar|vier|eiro)?|feb(?:ruary|ruar)?|f[eé]v(?:rier|ereiro)?|mar(?:ch|s|zo|[cç]o)?|märz"
    r"|apr(?:il)?|avr(?:il)?|abr(?:il)?|ma[iy]o?|june?|juin|juni[o]?|july?|juillet|juli[o]?"
    r"|aug(?:ust)?|août|ago(?:sto)?|sep(?:t|tember|tembre)?|o[ck]t(?:ober|obre)?|nov(?:ember|embre)?"
    r"|de[cz](?:ember|embre)?|dic(?:iembre|embre)?|ene(?:ro)?)"
)
WORD = r"[A-ZÀ-Þ][\w'’À-ÿ-]+"
CUES = (
    r"(?:electronically\s+)?signed(?:\s+by)?|sign[eé](?:\s+par)?|validado\s+por|dictated\s+by|read\s+by"
    r"|interpreted\s+by|discussed\s+with|d/w|communicated\s+(?:to|with)|reviewed\s+(?:by|with)"
    r"|referred\s+by|attending|resident|daughter|son|wife|husband|patient\s+name|patient"
)
RULES = (
    ("[EMAIL]", re.compile(r"\b[\w.+-]+@[\w-]+\.[\w.]+\b")),
    (
        "[DATE]",
        re.compile(
            rf"\b(?:\d{{1,2}}[./-]\d{{1,2}}[./-]\d{{2,4}}|\d{{4}}-\d{{2}}-\d{{2}}|\d{{1,2}}/\d{{4}}"
            rf"|\d{{1,2}}\.?\s+{MONTH}\.?,?\s+\d{{2,4}}|{MONTH}\.?\s+\d{{1,2}},?\s+\d{{2,4}})\b",
            re.I,
        ),
    ),
    ("[TIME]", re.compile(r"\b\d{1,2}:\d{2}(?::\d{2})?(?:\s*[ap]\.?m\b\.?)?", re.I)),
    ("[ID]", re.compile(r"\b\d{3}-\d{2}-\d{4}\b")),
    ("[PHONE]", re.compile(r"\+?\b(?:\(\d{3}\)\s*|\d{3}[-. ])\d{3}[-. ]\d{4}\b")),
    (
        "[PHONE]",
        re.compile(r"(?i:\b(?:pager|beeper|ext|phone|tel|call)\b\.?\s*:?\s*#?\s*)(\d{4,})\b"),
    ),
    (
        "[ID]",
        re.compile(
            r"(?i:\b(?:mrn|acc(?:ession)?(?:\s+(?:no|number))?|patient\s+id|case)\b\s*[:#.]?\s*)([A-Z]{0,4}\d{4,}\w*)"
        ),
    ),
    ("[ID]", re.compile(r"\b[A-Z]{0,4}\d{6,}\b")),
    ("[AGE]", re.compile(r"\b(?:9\d|1[01]\d)[- ]?(?:year[- ]?old|y/?o|yo|years? old)\b", re.I)),
    (
        "[NAME]",
        re.compile(
            rf"\b(?:Dra?|Drs|Mr|Mrs|Ms|Herr|Frau|Mme|Prof|Sra?)\b\.?\s+((?:{WORD}[ ]?){{1,3}})"
        ),
    ),
    (
        "[NAME]",
        re.compile(
            rf"(?i:\b(?:{CUES})\b)\s*:?\s*(?:by\s*:?\s*)?((?:{WORD},?[ ]?){{1,3}}(?:MD|DO)?)"
        ),
    ),
    (
        "[PLACE]",
        re.compile(
            rf"\b(?:(?:St\.?|{WORD})\s){{0,3}}(?:Hospital|Medical Center|Clinic|\w*[Kk]linikum|Krankenhaus|CHU)"
            rf"(?:\s(?:de|of|du)?\s?{WORD})?"
        ),
    ),
    (
        "[PLACE]",
        re.compile(
            rf"\b\d{{1,5}}\s+(?:{WORD}\s){{1,3}}(?:Street|Avenue|Ave|Road|Rd|Drive|Blvd|Lane)\b"
        ),
    ),
)
SUSPECT = re.compile(r"\d{6,}|@|\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}/\d{1,2}/\d{2,4}\b")
SHORTEST_KNOWN = 3


def scrub(text: str, known: tuple[str, ...]) -> str:
    """The text with identifiers replaced by placeholders.  `known`: strings of this patient."""
    for token in known_tokens(known):
        text = re.sub(rf"(?<!\w){re.escape(token)}(?!\w)", "[NAME]", text, flags=re.I)
    for placeholder, pattern in RULES:
        text = pattern.sub(lambda m, p=placeholder: _replace(m, p), text)
    return text


def suspect(text: str, known: tuple[str, ...]) -> bool:
    """Whether something that looks like an identifier is still there."""
    lower = text.lower()
    return bool(SUSPECT.search(text)) or any(
        re.search(rf"(?<!\w){re.escape(token.lower())}(?!\w)", lower)
        for token in known_tokens(known)
    )


def known_tokens(known: tuple[str, ...]) -> list[str]:
    """Searchable pieces of header identifiers: parts of names, numbers, dates as people write them."""
    tokens: set[str] = set()
    for value in known:
        tokens.add(value.strip())
        tokens |= set(re.split(r"[\^=\\,\s]+", value))
        if re.fullmatch(r"(?:19|20)\d{6}", value):
            y, m, d = value[:4], value[4:6], value[6:]
            tokens |= {f"{m}/{d}/{y}", f"{d}.{m}.{y}", f"{y}-{m}-{d}", f"{int(m)}/{int(d)}/{y[2:]}"}
    longest_first = sorted(tokens, key=lambda t: (-len(t), t))
    return [
        t
        for t in longest_first
        if len(t) >= SHORTEST_KNOWN
        and t.lower() not in NOT_NAMES
        and t.lower() not in ("hospital", "memorial", "medical", "center", "the", "and", "for")
    ]


def _replace(match: re.Match[str], placeholder: str) -> str:
    whole = match.group(0)
    if match.re.groups == 0:
        return placeholder
    inner = match.group(1)
    words = [w.strip(",").lower() for w in inner.split()]
    if placeholder == "[NAME]" and (not words or words[0] in NOT_NAMES):
        return whole
    trailing = inner[len(inner.rstrip()) :]
    start = match.start(1) - match.start(0)
    return whole[:start] + placeholder + trailing + whole[start + len(inner) :]
