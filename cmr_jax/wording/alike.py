"""Impressions that say the same in nearly the same words.

Of two near-duplicates one word may turn the meaning: no, left, severe, apical.  So only texts are compared
whose findings, as rules read them, are the same and whose turning words are the same ones; their
numbers must be close, and of their other words they must share most.
"""

import collections
import re
from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Bool, Float
from scipy import sparse

from cmr_jax.wording import findings, rules
from cmr_jax.wording.context import DENIAL, DOUBT
from cmr_jax.wording.normalization import normal

LEAST = 0.8  # of the words of both, that both have (Dice 1945)
CLOSE = 0.1  # share by which numbers may differ: what two readers of one exam differ by
_WORD = re.compile(r"[^\W\d_]+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_SHORT = rules.compiled(  # one name for each chamber, however it is written
    (
        (r"\bleft ventric(?:le|ular)\b", "lv"),
        (r"\bright ventric(?:le|ular)\b", "rv"),
        (r"\bleft atri(?:um|al)\b", "la"),
        (r"\bright atri(?:um|al)\b", "ra"),
        (r"\blate gadolinium enhancement\b", "lge"),
        (r"\bejection fraction\b", "ef"),
    )
)
_TURNING = re.compile(
    r"\b(?:left|right|bi\w+|[lr][va]|lvef|rvef|interventricular|interatrial"
    r"|ba[sz]\w+|mid\w*|api\w+|apex|sept\w+|later\w+|anter\w+|infer\w+|poster\w+|proximal|distal"
    r"|sub\w+|epi\w+|endo\w+|trans\w+|intra\w+|peri\w+|patchy|diffuse|focal|global\w*|regional\w*"
    r"|normal\w*|abnormal\w*|un\w+|non\w*|hypo\w*|hyper\w*|dys\w+|a?kine\w+|mild\w*|moderat\w*|severe\w*"
    r"|small|large|trace|trivial|minimal\w*|marked\w*|high|low|increas\w+|decreas\w+|reduc\w+|impair\w+"
    r"|preserv\w+|enlarg\w+|dilat\w+|thick\w*|thin\w*|elevat\w+|new|old|acute|chronic|improv\w+|wors\w+"
    r"|resolv\w+|stable|mitral|aort\w+|tricuspid|pulmon\w+|valv\w+|regurgit\w+|stenos\w+|viab\w+)\b"
)


def groups(impressions: Sequence[Sequence[str]], least: float = LEAST) -> list[int]:
    """A number for each impression, given as its sentences; those of one number say the same.

    All of a group are alike to its first, the most frequent of them.
    """
    texts = [_plain(sentences) for sentences in impressions]
    counts = collections.Counter(texts)
    first = {text: i for i, text in reversed(list(enumerate(texts)))}
    blocks: dict[tuple, list[str]] = collections.defaultdict(list)
    for text in sorted(counts, key=lambda text: (-counts[text], first[text])):
        blocks[_key(text, impressions[first[text]])].append(text)
    leader = {}
    for block in blocks.values():
        for text, at in zip(block, _leaders(block, least), strict=True):
            leader[text] = first[block[at]]
    numbered: dict[int, int] = {}
    return [numbered.setdefault(leader[text], len(numbered)) for text in texts]


def _plain(sentences: Iterable[str]) -> str:
    """Sentences in the order of the alphabet: theirs says nothing."""
    text = "\n".join(sorted(normal(sentence) for sentence in sentences))
    return rules.applied(text, _SHORT)


def _key(text: str, sentences: Iterable[str]) -> tuple:
    """Findings, number of numbers and turning words, which must be equal."""
    turning = (m.group() for rule in (_TURNING, DENIAL, DOUBT) for m in rule.finditer(text))
    told = findings.bits(findings.said_by_all(sentences))
    return (
        told,
        len(_NUMBER.findall(text)),
        tuple(sorted(word.removesuffix("ly") for word in turning)),
    )


def _leaders(texts: list[str], least: float) -> list[int]:
    """Index of the first near-duplicate of each text; its own if it has none before."""
    words, numbers = _words(texts), _numbers(texts)
    size = np.asarray(words.sum(1)).ravel()
    leader = np.full(len(texts), -1)
    for i in range(len(texts)):
        if leader[i] < 0:
            shared = (words @ words[i].T).toarray().ravel()
            alike = (2 * shared >= least * (size + size[i])) & _close(numbers, numbers[i])
            leader[(leader < 0) & alike] = i
            leader[i] = i
    return leader.tolist()


def _words(texts: list[str]) -> sparse.csr_array:
    """(texts, words) of 0 or 1."""
    known: dict[str, int] = {}
    rows = [
        sorted({known.setdefault(word, len(known)) for word in _WORD.findall(text)})
        for text in texts
    ]
    at = np.concatenate([np.full(len(row), i) for i, row in enumerate(rows)])
    which = np.concatenate([np.array(row, int) for row in rows])
    return sparse.csr_array((np.ones(len(at)), (at, which)), (len(texts), max(len(known), 1)))


def _numbers(texts: list[str]) -> Float[np.ndarray, "n k"]:
    """Numbers of each text, in ascending order."""
    return np.array([sorted(map(float, _NUMBER.findall(text))) for text in texts])


def _close(all_: Float[np.ndarray, "n k"], one: Float[np.ndarray, " k"]) -> Bool[np.ndarray, " n"]:
    return np.all(np.abs(all_ - one) <= CLOSE * np.maximum(all_, one), axis=1)
