"""Text to tokens: as the prepared data's own model does, or as the published text tower was fed."""

import pickle

import numpy as np
import pytest

from cmr_jax.tokenizer import Tokenizer, WordPiece

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "left", "Left", "naive", "lv", "##ef", "35", "%", "."]


@pytest.fixture
def words(tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    return Tokenizer.load(tmp_path)


def test_words_lose_case_and_accents_also_where_the_vocabulary_has_both(words):
    assert isinstance(words, WordPiece)
    assert words.size == len(WORDS)
    tokens, mask = words.encode(["Left naïve LVEF 35%. Strange", ""], 12)
    said = [WORDS[i] for i in tokens[0][mask[0]]]
    assert said == ["[CLS]", "left", "naive", "lv", "##ef", "35", "%", ".", "[UNK]", "[SEP]"]
    assert [WORDS[i] for i in tokens[1][mask[1]]] == ["[CLS]", "[SEP]"]
    assert tokens[0, 10:].tolist() == [0, 0]
    assert mask.sum(1).tolist() == [10, 2]


def test_what_is_too_long_is_cut_and_its_end_with_it(words):
    tokens, mask = words.encode(["left " * 600], 512)
    assert mask.all()
    assert WORDS[tokens[0, -1]] == "left"
    assert WORDS[tokens[0, 0]] == "[CLS]"


def test_a_tokenizer_travels_and_is_saved_under_its_name(words, tiny, tmp_path):
    for one, file in ((words, "vocab.txt"), (Tokenizer.load(tiny), "tokenizer.model")):
        there = pickle.loads(pickle.dumps(one))
        (tmp_path / file).unlink(missing_ok=True)
        there.save(tmp_path)
        again = Tokenizer.load(tmp_path / file)
        texts = ["Left ventricle is 35 %."]
        for a, b in zip(one.encode(texts, 16), again.encode(texts, 16), strict=True):
            np.testing.assert_array_equal(a, b)
        assert type(again) is type(one)


def test_no_tokenizer_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(ValueError, match=r"vocab\.txt beside them"):
        Tokenizer.load(tmp_path)


def test_the_vocabulary_of_bert_as_the_published_tower_was_fed(shared):
    """Ids that transformers' BertTokenizerFast (4.25.0) gives with its defaults."""
    tokenizer = Tokenizer.load(shared / "real" / "vocab" / "bert-base-cased-vocab.txt")
    assert tokenizer.size == 28_996
    tokens, mask = tokenizer.encode(
        ["Left ventricle is ENLARGED, naïve Ejection fraction 35%."], 20
    )
    expected = [101, 1286, 21828, 4907, 1513, 1110, 12089, 117, 22607, 174, 26857, 13394]
    assert tokens[0][mask[0]].tolist() == [*expected, 2588, 110, 119, 102]
