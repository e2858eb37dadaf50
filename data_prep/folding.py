"""Text in which the same word is written the same way, wherever its letters are looked up."""

import functools
import unicodedata

# Letters that have no decomposition into a plain one and an accent, and the forms of an apostrophe.
PLAIN = str.maketrans("øØłŁđĐßæÆœŒıðþ’‘ʼ`´", "oOlLdDsaAoOidt'''''")


def fold(text: str) -> str:
    """Lower case without accents or width; character i stays character i."""
    return text.lower() if text.isascii() else "".join(map(_fold, text))


@functools.cache
def _fold(char: str) -> str:
    char = char.translate(PLAIN)
    first, *marks = unicodedata.normalize("NFKD", char)
    plain = first if all(unicodedata.category(c) == "Mn" for c in marks) else char
    lower = plain.lower()
    return lower if len(lower) == 1 else plain
