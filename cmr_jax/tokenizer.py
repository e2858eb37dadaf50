"""Text to tokens: SentencePiece behind a small interface that pickles and loads on first use."""

import functools
import pathlib

import numpy as np
import sentencepiece

PAD = 0


class Tokenizer:
    """A SentencePiece model.  Holds bytes, so it travels to workers and into checkpoints."""

    def __init__(self, model: bytes):
        self.model = model

    @classmethod
    def load(cls, path: str | pathlib.Path) -> "Tokenizer":
        """Reads a model file."""
        file = pathlib.Path(path)
        if not file.is_file():
            raise ValueError(f"no tokenizer at {path}. Prepared data has one; is the path right?")
        return cls(file.read_bytes())

    @functools.cached_property
    def _processor(self) -> sentencepiece.SentencePieceProcessor:
        return sentencepiece.SentencePieceProcessor(model_proto=self.model)

    def __getstate__(self) -> dict:
        return {"model": self.model}

    @property
    def size(self) -> int:
        """Number of pieces."""
        return self._processor.get_piece_size()

    def encode(self, texts: list[str], length: int) -> tuple[np.ndarray, np.ndarray]:
        """Tokens and their mask, (texts, length) int32 and bool; start and end included."""
        tokens = np.full((len(texts), length), PAD, np.int32)
        for row, text in zip(tokens, texts, strict=True):
            pieces = self._processor.encode(text, add_bos=True, add_eos=True)[:length]
            row[: len(pieces)] = pieces
        return tokens, tokens != PAD
