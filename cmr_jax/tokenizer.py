"""Text to tokens behind one small interface: SentencePiece, or BERT's WordPiece.

A tokenizer holds the bytes of its file, so that it travels to workers and into checkpoints, and
builds what it needs on first use.
"""

import functools
import pathlib

import numpy as np
import sentencepiece

PAD = 0


class Tokenizer:
    """A SentencePiece model; the base of other kinds."""

    FILE = "tokenizer.model"

    def __init__(self, model: bytes):
        self.model = model

    @staticmethod
    def load(path: str | pathlib.Path) -> "Tokenizer":
        """Reads a tokenizer's file, or the one that lies in a folder: its name tells its kind."""
        file = pathlib.Path(path)
        if file.is_dir() and (found := Tokenizer.beside(file)):
            return found
        if not file.is_file():
            raise ValueError(
                f"no tokenizer at {path}: neither {' nor '.join(k.FILE for k in KINDS)}. "
                "Prepared data has one; published weights need BERT's vocab.txt beside them."
            )
        kind = WordPiece if file.suffix == ".txt" else Tokenizer
        return kind(file.read_bytes())

    @staticmethod
    def beside(folder: pathlib.Path) -> "Tokenizer | None":
        """The tokenizer that lies in a folder, if one does."""
        files = (folder / kind.FILE for kind in KINDS)
        return next((Tokenizer.load(file) for file in files if file.is_file()), None)

    def save(self, folder: pathlib.Path) -> None:
        """Writes the file that `load` reads."""
        (folder / self.FILE).write_bytes(self.model)

    @functools.cached_property
    def _processor(self) -> sentencepiece.SentencePieceProcessor:
        return sentencepiece.SentencePieceProcessor(model_proto=self.model)

    def __getstate__(self) -> dict:
        return {"model": self.model}

    @property
    def size(self) -> int:
        """Number of pieces."""
        return self._processor.get_piece_size()

    def _pieces(self, text: str) -> list[int]:
        """Start, pieces, end."""
        return self._processor.encode(text, add_bos=True, add_eos=True)

    def encode(self, texts: list[str], length: int) -> tuple[np.ndarray, np.ndarray]:
        """Tokens and their mask, (texts, length) int32 and bool; start and end included.

        What is longer is cut, its end with it.
        """
        tokens = np.full((len(texts), length), PAD, np.int32)
        mask = np.zeros((len(texts), length), bool)
        for row, real, text in zip(tokens, mask, texts, strict=True):
            pieces = self._pieces(text)[:length]
            row[: len(pieces)] = pieces
            real[: len(pieces)] = True
        return tokens, mask


class WordPiece(Tokenizer):
    """BERT's tokenizer over its vocabulary file, one piece a line.

    Text is lower-cased and loses its accents even where the vocabulary is cased: so the published
    text tower was fed (its hub configuration does not say otherwise), and so it must be again.
    """

    FILE = "vocab.txt"

    @functools.cached_property
    def _processor(self):
        try:
            from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer
        except ImportError:
            raise ValueError(
                "WordPiece needs the tokenizers package: pip install 'cmr_jax[published]'."
            ) from None
        pieces = self.model.decode().split("\n")
        vocabulary = {piece.rstrip("\r"): i for i, piece in enumerate(pieces) if piece}
        return BertWordPieceTokenizer(vocabulary, lowercase=True, strip_accents=True)

    @property
    def size(self) -> int:
        """Number of pieces."""
        return self._processor.get_vocab_size(with_added_tokens=False)

    def _pieces(self, text: str) -> list[int]:
        return self._processor.encode(text).ids


KINDS = (Tokenizer, WordPiece)
