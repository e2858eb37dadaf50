"""A sentence in pieces that each say one thing, and whether a piece denies it."""

import re
from typing import NamedTuple

# What comes after one of these says something of its own.
_BREAK = re.compile(
    r"[;:,()\[\]]|\.(?!\d)|\b(?:but|while|whereas|although|however|with(?!in)|and (?=no\b)|which)\b"
)
DENIAL = re.compile(
    r"\b(?:no|not|nor|none|without|absence of|absent|negative for|never|free of|neither|nil"
    r"|(?:has|have|had) resolved|resolution of|excludes?|excluded|rule[sd]? out)\b"
)
DOUBT = re.compile(
    r"\?|\b(?:cannot (?:be )?exclude[d]?|can(?:not|'t) rule out|possibl[ey]|may represent|might|"
    r"borderline|evaluate for|history of|differential|discriminate|suspected|suspicion|versus|vs)\b"
)


class Clause(NamedTuple):
    """Lower-case words; what is denied is denied from `denied_from` on, if at all."""

    text: str
    denied_from: int | None
    doubtful: bool

    def denies(self, at: int) -> bool:
        """Whether what stands at that place is said not to be."""
        return self.denied_from is not None and at >= self.denied_from


def normal(text: str) -> str:
    """Lower case, one space, American, no numbering."""
    text = re.sub(r"^\s*(?:\d+[.)]|[-*•])\s*", "", text.lower())
    text = (
        text.replace("ischaem", "ischem").replace("oedema", "edema").replace("calibre", "caliber")
    )
    return " ".join(re.sub(r"([a-z])-([a-z])", r"\1 \2", text).split())


def clauses(sentence: str) -> list[Clause]:
    """Of one sentence, in order; "without x" and "no x, y or z" deny to the end of theirs."""
    text = normal(sentence)
    found, start, denying = [], 0, False
    for mark in [*_BREAK.finditer(text), None]:
        piece = text[start : mark.start() if mark else len(text)]
        denial = DENIAL.search(piece)
        # After a comma a list goes on: "no effusion, thickening or mass" denies all three.
        goes_on = denying and not re.match(r"\s*(?:is|are|was|normal|but)\b", piece)
        at = denial.end() if denial else 0 if goes_on and _is_bare(piece) else None
        if denial and re.search(r"(?:resolved|excluded|absent|ruled out)$", denial.group()):
            at = 0
        if piece.strip():
            found.append(Clause(piece, at, bool(DOUBT.search(piece))))
        denying = at is not None and bool(mark) and mark is not None and mark.group() == ","
        start = mark.end() if mark else len(text)
    return found


def _is_bare(piece: str) -> bool:
    """A mere item of a list: some words and no verb or quality of its own."""
    return len(piece.split()) <= 3 and not re.search(r"\b(?:mild|moderate|severe|normal)", piece)
