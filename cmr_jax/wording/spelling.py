"""Typing errors in long words: "hypertrohy", "efusion"."""

import functools
import re

from cmr_jax.wording import lexicon

SHORTEST = 7  # letters; shorter words are too alike
_WORD = re.compile(rf"\b[a-z]{{{SHORTEST - 1},}}\b")


def corrected(text: str) -> str:
    """A lower-case text whose words that are one slip away from a word of the lexicon are that word."""
    words = _WORD.findall(text)
    return text if words == list(map(_word, words)) else _WORD.sub(_replaced, text)


def _replaced(match: re.Match[str]) -> str:
    return _word(match.group())


@functools.lru_cache(maxsize=1 << 15)
def _word(word: str) -> str:
    known = lexicon.spelled()
    if word in known.words or word in known.others:
        return word
    near = [right for right in known.words if _is_slip(word, right)]
    return near[0] if len(near) == 1 else word


def _is_slip(word: str, right: str) -> bool:
    """Return whether a letter is missing, doubled or wrong, or two are swapped; another ending is no slip."""
    if word[0] != right[0] or abs(len(word) - len(right)) > 1 or len(right) < SHORTEST:
        return False
    same = next((i for i, (a, b) in enumerate(zip(word, right, strict=False)) if a != b), None)
    if same is None or same >= min(len(word), len(right)) - 1:
        return False
    left, rest = word[same:], right[same:]
    swapped = left[:2] == rest[1::-1] and left[2:] == rest[2:]
    return swapped or left[1:] == rest[1:] or left[1:] == rest or left == rest[1:]
