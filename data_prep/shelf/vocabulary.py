"""Trains the SentencePiece vocabulary on scrubbed training text that enough patients share."""

import io
import re
from collections import defaultdict
from collections.abc import Iterable

import sentencepiece

# A word of fewer patients than this could name one; it stays out and is spelled in bytes.
LEAST_PATIENTS = 10
PAD, UNKNOWN, START, END = 0, 1, 2, 3


def shared_words(texts: Iterable[tuple[str, str]], least: int = LEAST_PATIENTS) -> frozenset[str]:
    """Words that at least `least` patients' texts contain; texts are (patient, text)."""
    owners: dict[str, set[str]] = defaultdict(set)
    for patient, text in texts:
        for word in _words(text):
            if len(owners[word]) < least:
                owners[word].add(patient)
    return frozenset(word for word, patients in owners.items() if len(patients) >= least)


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+|\d|[^\w\s]", text.lower())


def train(texts: list[tuple[str, str]], size: int) -> bytes:
    """A SentencePiece model over the shared words of (patient, text), as bytes.

    Digits are single pieces and anything rare falls back to bytes, so every text can be spelled.
    """
    shared = shared_words(texts)
    corpus = [" ".join(w for w in _words(text) if w in shared) for _, text in texts]
    corpus = sorted({line for line in corpus if line}) or ["no shared words"]
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus),
        model_writer=out,
        model_type="bpe",
        vocab_size=size,
        hard_vocab_limit=False,
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="nmt_nfkc_cf",
        pad_id=PAD,
        unk_id=UNKNOWN,
        bos_id=START,
        eos_id=END,
        num_threads=1,  # more would not be reproducible
        minloglevel=2,
    )
    return out.getvalue()
