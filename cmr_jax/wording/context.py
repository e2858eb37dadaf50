"""Clauses of a sentence, and what is denied, doubted or beside the point in each.

Follows NegEx and ConText (Chapman 2001, J Biomed Inform 34:301; Harkema 2009, 42:839): triggers act
forward ("no X") or backward ("X is not seen"), reach over the items of a list, and end at a new
statement, a subject with a predicate or a number of its own ("no effusion, LV dilated").  Some words
look like a denial and are none ("no change").
"""

import functools
import re
from typing import NamedTuple

from cmr_jax.wording import languages

Span = tuple[int, int]

_MARK = re.compile(
    r"[;,()\[\]|]|:(?!\s*\d)|\.(?!\d)|\b(?:but|while|whereas|although|though|however|except(?: for)?"
    r"|apart from|other than|aside from|in contrast to|unlike"
    r"|(?<!consistent )(?<!compatible )(?<!keeping )with(?!in)|and (?=no\b|without\b)|which)\b"
)
_AND = re.compile(r"\b(?:and|or)\b")
_SUBJECT = (
    r"(?:[lr]v(?:ef|edvi?|esvi?)?|[lr]a|ef|ventric\w+|biventric\w+|atri\w+|aort\w+|root|septum|septal|wall"
    r"|function\w*|fraction|volumes?|size|contract\w+|thickness|pericardi\w+|valves?|leaflets?|heart"
    r"|apex|myocardium|chambers?|cavit\w+|t[12]|ecv|perfusion)"
)
_PREDICATE = (
    r"(?:dilated|enlarged|reduced|decreased|impaired|depressed|preserved|normal|thickened|hypertrophied"
    r"|increased|normali[sz]ed|akinetic|hypokinetic|dyskinetic|abnormal|good|poor|intact|small|large|thin\w*|stable"
    r"|moderate|unremarkable|hyperdynamic|mildly|moderately|severely)"
)
_VERB = r"(?:is|are|was|were|has|have|had|shows?|showed|appears?|measures?|remains?|demonstrates?)"
# A subject and what is said of it, in either order, a verb, or a number of its own.
_STATEMENT = re.compile(
    rf"\b{_SUBJECT}\b(?: \w+){{0,3}} {_PREDICATE}\b|\b{_PREDICATE} (?:\w+ ){{0,2}}{_SUBJECT}\b"
    rf"|\b{_VERB}\b|\b{_SUBJECT}\b[^,;]{{0,12}}\d"
)
# "dilated pulmonary trunk and normal caliber of the aorta"
_NEW = re.compile(
    rf"\b{_PREDICATE} (?:\w+ )+(and) (?:\w+ly )?{_PREDICATE} (?:\w+ ){{0,4}}{_SUBJECT}\b"
)
_GRADED = re.compile(
    r"\b(?:mild|moderate|severe|small|trivial|trace|large|normal|extensive|focal|known|old|provocable"
    r"|non ?obstructive)\b"
)
_LOCATED = re.compile(
    r"\b(?:sept\w+|\w*lateral|\w*anterior|inferior|apical|basal|subendocardial|subepicardial|transmural|mid ?wall"
    r"|intramural|diffuse|patchy|phenotype)\b"
)
_PLACED = re.compile(r"\b(?:in|at|within|along|involving) (?:the )?\w")

_METHOD = re.compile(
    r"\s*(?:protocol|technique|sequences?|methods?|(?:clinical )?(?:indication|question|details|history|information)"
    r"|referral|reason for)\b"
)

# Triggers.  What only looks like a denial comes first, and nothing is read from its place.
_PSEUDO = re.compile(
    r"\bno (?:significant |interval |definite )*(?:change|progression|regression|worsening|deterioration"
    r"|improvement|cause (?:of|for))\w*"
    r"|\bwithout (?:significant )?change|\bnot only\b|\bnot necessarily\b|\bno doubt\b"
    r"|\bno resolution of\b|\bnot (?:\w+ )?resolved\b|\b(?:no|not) more than\b"
)
_COMPARED = re.compile(
    r"\b(?:no|without) (?:any |significant |interval |further )*(?:increase|decrease) (?:in|of)\b"
)
DENIAL = re.compile(
    r"\b(?:no|not|nor|none|nothing to suggest|without|absence of|absent|(?:neg|negative)(?: for)?|never|free of"
    r"|free from|hardly any|incompatible with|inconsistent with|0 of \d|neither|nil"
    r"|(?:has|have|had) (?:(?!not\b)\w+ )?(?:resolved|disappeared)|resolution of|excludes?|excluded"
    r"|rules? out|ruled out|rather than|lack of|fail(?:s|ed)? to|below the threshold (?:for|of)"
    r"|(?:is|are|argues?) against)\b"
)
_AFTER = re.compile(  # denies what stands before it
    r"\b(?:(?:(?:is|are|was|were|be|been|could|can) )*(?:not|no longer)|cannot be|can't be)(?: \w+){0,2}?"
    r" (?:seen|present|identified|detected|evident|visible|visuali[sz]ed|demonstrated|found"
    r"|inducible|detectable|discernible|demonstrable|satisfied"
    r"|appreciated|noted|observed|shown|apparent|excessive|supported|suggested|favou?red|confirmed|met|fulfilled)\b"
    r"(?! (?:before\b|previously|earlier|on (?:the )?(?:prior|previous|last|first|echo\w*|ct)))"
    r"|\b(?:has|have|had) (?:(?!not\b)\w+ )?(?:resolved|disappeared)\b"
    # "was excluded", "HCM excluded on CMR"; "CMR excluded X" denies what follows.
    r"|\b(?:is|are|was|were|be|been|being) (?:\w+ly )?(?:excluded|ruled out|discarded)\b"
    r"|\b(?:excluded|ruled out|discarded)(?=\s*(?:$|[.,;:()])"
    r"| (?:by|in|on|with|at|using|as|based|through|via|after|from|due|because|given|and|or|today|now|\w+ly)\b)"
    r"|\s0\s*(?:%|mm|ml|g)\W*$|\babsent(?= (?:in|at|throughout|from|within)\b)"
    r"|\b(?:absent|lacking|none|neg|negative|nil|no|(?<!not )resolved)\s*[.!]?\s*$|\s-\s*$"
)
_ADJECTIVE = re.compile(
    r"(\w+) negative (?!for\b)(?=\w)|\b(lge|scar|enhancement|thrombus|edema) free\b(?! wall)"
)  # "LGE negative DCM"
# Absent there, or absent so: the rest may be present.
_LOCAL = re.compile(
    r"\b(?:no (?:other|further|additional|new|more)|remote from|transmural|subendocardial"
    r"|sub ?epicardial|mid ?wall|extensive|large|severe|gross|marked|massive)\b"
)
# Doubts what comes after it, or the whole clause where nothing does.
_DOUBT_FORWARD = (
    r"\?|\b(?:cannot (?:\w+ )?exclude|can(?:not|'t) rule out|(?:^\s*|to )(?:rule out|exclude)|r/o"
    r"|possib(?:le|ly|ility)|probabl[ey]|presum\w+|questionable|equivocal|indeterminate|borderline|query"
    r"|may (?:be|represent|reflect|indicate)|might|could (?:be|represent|reflect)"
    r"|consider|concern(?:ing)? for|favou?red over|likely than|raises? the"
    r"|either (?=(?!ventric|side|atri|of)\w+(?: \w+)? or\b)|differential|ddx?|discriminate|suspicion|suspicious"
    r"|makes? (?=(?:\w+ ){1,6}(?:less |very |more )*(?:un|im)?(?:likely|probable)\b)"
    r"|suspected|suggestive of|less likely|unlikely|unclear|uncertain)\b"
)
# No statement about this exam follows: a condition, the question, the past, another modality.
_ASIDE = (
    r"\b(?:if|(?:evaluated?|evaluation|eval) for|history of|at risk (?:of|for)|testing for|screening for|please"
    r"|would (?:indicate|suggest|support|favou?r)"
    r"|(?:been|was|were) (?:interpreted as|misinterpreted as|taken for)"
    r"|(?:echo\w*|tte|ct|ultrasound) (?:had )?suggested)\b"
)
# Doubts what comes before it, or both sides.
_DOUBT_BACK = (
    r"\b(?:can(?:not|'t) be (?:\w+ )?(?:excluded|ruled out)|not (?:be )?(?:\w+ )?(?:excluded|ruled out)"
    r"|(?:needs? to|must|should|to) be (?:excluded|ruled out)"
    r"|(?:is|are|was|were|remains?) (?:\w+ )?(?:possible|suspected|questionable|equivocal|uncertain"
    r"|unclear|unlikely|improbable|borderline)|(?:to|should) be considered|a consideration|less likely than|versus|vs"
    r"|not (?:certain|definite|sure|convincing)|suspected(?= (?:on|in|at|by|from)\b|\W*$)"
    r"|unlikely(?= (?:in|given|due|because|as)\b))\b"
)
DOUBT = re.compile(f"{_DOUBT_FORWARD}|{_ASIDE}|{_DOUBT_BACK}")
_FORWARD, _BACK = re.compile(f"{_DOUBT_FORWARD}|(?P<aside>{_ASIDE})"), re.compile(_DOUBT_BACK)
_TO_BE = ("is", "are", "was", "were", "remain", "remains")
# These words presuppose the finding that follows: "no thrombus overlying the infarct".
_ENDS = re.compile(
    r"\b(?:despite|beyond|overlying|adjacent to|complicating|in the setting of|to account for"
    r"|to explain|(?:with)?in (?:the |an? |this |known |these )+(?=(?:\w+ ){0,2}(?:dilated|infarct|hypertroph|impaired"
    r"|scar|area|aneurysm|h?o?cm|d?cm|cardiomyopathy|amyloid\w*|sarcoid\w*|myocarditis)\b)"
    r"|of (?:the|this) (?=bicuspid))"
)
_RELATIVE = re.compile(
    r"\b(?:family history|mother|father|brother|sister|sibling|son|daughter|uncle|aunt|cousin"
    r"|grand(?:mother|father)|relative|family member)s?\b"
)
# A list of abbreviations; patients in general, and other people's.
_GENERAL = re.compile(
    r"(?:^|[;,.] ?)lge ?[,:=] ?(?:late|delayed) gadolinium (?:enhancement|enhanced)(?: imaging)?\s*(?:[;,.]|$)"
    r"|(?:^|[;,.] ?)[dhi]cm ?[,:=] ?(?:dilat\w+|hypertrophic|ischemic) cardiomyopathy\s*(?:[;,.]|$)"
    r"|\b(?:is|are) (?:indicated|recommended) (?:in|for) (?:\w+ )?patients\b"
    r"|\b(?:one|another) (?:\w+ )?(?:study|case report|author)\b"
)
_TECHNIQUE = re.compile(
    r"\b(?:lge|(?:late|delayed) (?:gadolinium |contrast )?enhancement)(?: \w+)?"
    r" (?:images?|imaging|sequences?|acquisition|protocol|technique|non ?diagnostic)\b"
    r"|\b(?:lge|(?:late|delayed) (?:gadolinium |contrast )?enhancement) (?:show|reveal|demonstrate)\w*"
    r" (?:an? |the )?(?:normal|unremarkable)\b"
    r"|\b(?:scar\w*|fibrosis|lge|(?:late|delayed) (?:gadolinium |contrast )?enhancement)\b"
    r"(?=(?: \w+){0,4} (?:can|could|was|were|is)? ?not (?:be )?(?:assess|evaluat|interpret|perform|done|acquired"
    r"|obtained|given|diagnostic))"
)
_BARE = re.compile(
    r"(?:none|neg|negative|absent|nil|no|not (?:seen|detected|present|found|identified)|-)[.!]?"
)
_DOUBTFUL = re.compile(
    r"(?:(?:\w+ly|may be|might be|is|are|was|were|still|but|remains?|rather) )*"
    r"(?:suspected|possible|not (?:excluded|certain|definite|sure|convincing)|unclear|equivocal|(?:an? )?arte?fact\w*)"
)
_IS_SEEN = re.compile(  # "no mass or thrombus is seen" is one denial
    r"\b(?:is|are|was|were|can be|could be) (?=(?:seen|present|noted|shown|identified|detected|found|visible|evident"
    r"|demonstrated|observed)\b)"
)
_LISTS = re.compile(r"\b(?:differentials?|ddx?)\b")
_JOINED = re.compile(r"\b(?:and|n?or|are|were)\b")
_SEEN = re.compile(r"\b(?:seen|present|noted|shown|identified)\b")
# Most pieces have no trigger: one search finds out.
_ANY = re.compile(
    rf"{DENIAL.pattern}|{DOUBT.pattern}|\s-\s*$"
    r"|\b(?:imag|sequence|acqui|protocol|technique|non ?diagnostic|lacking|resolved|discarded|free"
    r"|(?:show|reveal|demonstrate)\w* (?:an? |the )?(?:normal|unrem))"
    r"|\s0\s*(?:%|mm|ml|g)"
)


class Clause(NamedTuple):
    """A piece that says one thing: lower-case words, and the parts that are denied, doubted or skipped.

    Skipped is what states nothing about this exam's findings: a technique, a relative, a local absence.
    """

    text: str
    denied: tuple[Span, ...] = ()
    doubted: tuple[Span, ...] = ()
    skipped: tuple[Span, ...] = ()

    def denies(self, at: int) -> bool:
        """Return whether the words at this position are denied."""
        return _inside(at, self.denied)

    def doubts(self, at: int) -> bool:
        """Return whether the words at this position are left open: neither present nor absent."""
        return _inside(at, self.doubted)

    def skips(self, at: int) -> bool:
        """Return whether the words at this position state nothing about this exam."""
        return _inside(at, self.skipped)

    def scoped(self, at: int) -> bool:
        """Return whether a trigger reaches the words at this position."""
        return self.denies(at) or self.doubts(at) or self.skips(at)

    def leaves_open(self, at: int) -> bool:
        """Return whether the words at this position are neither affirmed nor denied."""
        return self.doubts(at) or self.skips(at)


def _inside(at: int, spans: tuple[Span, ...]) -> bool:
    return any(start <= at < stop for start, stop in spans)


def split(text: str) -> list[Clause]:
    """Clauses of a normalised sentence, in order."""
    nothing = text.startswith(languages.NOT_UNDERSTOOD) or _METHOD.match(text)
    if nothing or _RELATIVE.search(text) or _GENERAL.search(text):
        return [Clause(text, skipped=((0, len(text)),))]
    pieces, marks = _pieces(text)
    made = [_alone(piece) for piece in pieces]
    if _LISTS.search(text):  # "differential: A, B such as C"
        first = next(at for at, piece in enumerate(pieces) if _LISTS.search(piece))
        stop = next((n + 1 for n in range(first, len(pieces)) if marks[n] == ";"), len(pieces))
        listed = [Clause(p, doubted=((0, len(p)),)) for p in pieces[first:stop]]
        made[first:stop] = listed
        if stop == len(pieces):
            return made
    closing = _list_ends(pieces, marks)
    for at in range(len(made)):
        _reach_forward(made, marks, closing[at], at)
        _reach_back(made, marks, at)
    return made


def _pieces(text: str) -> tuple[list[str], list[str]]:
    """Pieces between marks, and the mark after each; a statement after "and" is a piece."""
    pieces, marks, start = [], [], 0
    for mark in [*_MARK.finditer(text), None]:
        piece = text[start : mark.start() if mark else len(text)]
        for part, word in _statements(piece):
            pieces.append(part)
            marks.append(word)
        marks[-1:] = [mark.group() if mark else ""]
        start = mark.end() if mark else len(text)
    kept: list[tuple[str, str]] = []
    for piece, mark in zip(pieces, marks, strict=True):
        outweighs = mark[:1].isalpha() or mark == "("  # ", but": the word counts, not the comma
        if piece.strip():
            kept.append((piece, mark))
        elif kept and outweighs:
            kept[-1] = (kept[-1][0], mark)
    return [p for p, _ in kept], [m for _, m in kept]


def _statements(piece: str) -> list[tuple[str, str]]:
    """A piece split where "and" begins a statement: "no effusion and the RV is dilated"."""
    if not _AND.search(piece):
        return [(piece, "")]
    denial = DENIAL.search(piece)
    if denial and not _AFTER.search(piece):
        for word in _AND.finditer(piece, denial.end()):
            if _STATEMENT.search(_IS_SEEN.sub("", piece[word.end() :])):
                return [(piece[: word.start()], word.group()), (piece[word.end() :], "")]
    elif word := _NEW.search(piece):
        return [(piece[: word.start(1)], word.group(1)), (piece[word.end(1) :], "")]
    return [(piece, "")]


@functools.lru_cache(maxsize=1 << 14)
def _alone(piece: str) -> Clause:
    """Find what the triggers of a piece deny, doubt and skip within the piece."""
    if not _ANY.search(piece):
        return Clause(piece)
    whole = ((0, len(piece)),)
    doubted: list[Span] = []
    skipped = [m.span() for m in _TECHNIQUE.finditer(piece)]
    if back := _BACK.search(piece):
        return Clause(piece, doubted=(_doubted_by(piece, back),))
    if doubt := _FORWARD.search(piece):
        after = re.search(r"[a-z]{3}", piece[doubt.end() :])
        kind = skipped if doubt["aside"] else doubted
        kind.append((doubt.end(), len(piece)) if after else whole[0])
    masked = _PSEUDO.sub(lambda m: " " * len(m.group()), piece)
    skipped += [(m.start(), len(piece)) for m in _COMPARED.finditer(masked)]
    masked = _COMPARED.sub(lambda m: " " * len(m.group()), masked)
    for rule in (_TECHNIQUE, _FORWARD):
        masked = rule.sub(lambda m: " " * len(m.group()), masked)
    denied: list[Span] = [m.span(m.lastindex or 0) for m in _ADJECTIVE.finditer(masked)]
    masked = _ADJECTIVE.sub(lambda m: " " * len(m.group()), masked)
    if after := _AFTER.search(masked):
        denied += [(0, after.start())] if after.start() else []
    elif before := DENIAL.search(masked):
        ends = _ENDS.search(masked, before.end())
        # "..., B nor C": the list that was denied before goes on.
        goes_on = before.group() == "nor" and piece[: before.start()].strip()
        span = (0 if goes_on else before.end(), ends.start() if ends else len(piece))
        if _LOCAL.search(masked[before.start() :]) or "elsewhere" in masked:
            skipped.append(span)
        else:
            denied.append(span)
    return Clause(piece, tuple(denied), tuple(doubted), tuple(skipped))


def _doubted_by(piece: str, trigger: re.Match[str]) -> Span:
    """Words that a trigger behind them doubts; of "there is possible X" those that follow."""
    if re.match(r"\s*(?:there|it)\b", piece):
        return trigger.end(), len(piece)
    both = trigger.group() in ("versus", "vs") or trigger.group().split()[0] in _TO_BE
    return 0, len(piece) if both else trigger.end()


def _reach_forward(made: list[Clause], marks: list[str], closing: int, at: int) -> None:
    """Carry what holds at the end of a piece over the items of the list that follow."""
    here = made[at]
    end = len(here.text) - 1
    kind = next((k for k in ("denied", "doubted", "skipped") if _inside(end, getattr(here, k))), "")
    following = at + 1
    if not kind or following >= len(made) or marks[at] != ",":
        return
    piece = made[following]
    if piece.denied or piece.doubted or not (_is_item(piece.text) or following <= closing):
        return
    if kind == "denied" and following > closing and _LOCATED.search(piece.text):
        kind = "skipped"  # "no effusion, inferior infarct": more likely a statement than an item
    made[following] = piece._replace(**{kind: ((0, len(piece.text)),)})


def _list_ends(pieces: list[str], marks: list[str]) -> list[int]:
    """For each piece the last one of a list after it that ends in "or" or "nor"; itself if there is none."""
    ends = list(range(len(pieces)))
    for at in reversed(range(len(pieces) - 1)):
        text = pieces[at + 1]
        if marks[at] != "," or _STATEMENT.search(text):
            continue
        if re.search(r"\bn?or\b", text):
            ends[at] = at + 1
        elif ends[at + 1] > at + 1:
            ends[at] = ends[at + 1]
    return ends


def _reach_back(made: list[Clause], marks: list[str], at: int) -> None:
    """Carry a denial or a doubt that stands behind ("LGE: none", "A, B and C are absent")."""
    if not at:
        return
    text = made[at].text.strip()
    bare = _BARE.fullmatch(text)
    after = _AFTER.search(made[at].text)
    if after and not (bare or _JOINED.search(text)):
        return  # "HCM, obstruction not seen": of the last alone
    doubtful = _DOUBTFUL.fullmatch(text)
    if not (bare or after or doubtful):
        return
    for before in range(at - 1, -1, -1):
        mark, piece = marks[before], made[before]
        if bare:  # "effusion, none": of that alone
            reached = before == at - 1 and mark in (",", ":")
        else:
            reached = mark == "," and (doubtful or _is_item(piece.text))
        if not reached or piece.denied or _SEEN.search(piece.text):
            break
        whole = ((0, len(piece.text)),)
        made[before] = piece._replace(doubted=whole) if doubtful else piece._replace(denied=whole)


def _is_item(piece: str) -> bool:
    """An item of a list: a few words with no verb, quality or place of their own."""
    bare = re.sub(r"^\s*(?:and|or|nor)\b", "", piece)
    return (
        len(bare.split()) <= 4
        and not re.search(r"\+|\b(?:present|yes)\b", bare)
        and not _STATEMENT.search(bare)
        and not _GRADED.search(bare)
        and not _PLACED.search(bare)
    )
