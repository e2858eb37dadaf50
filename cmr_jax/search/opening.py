"""What commands open: an index, the model that it was made with, and the words of its findings."""

import pathlib
from typing import Any

from cmr_jax import weights
from cmr_jax.embedding import Embedder
from cmr_jax.evals import questions
from cmr_jax.evals.zero_shot import Asked
from cmr_jax.search import rows
from cmr_jax.search.about import ABOUT_FILE
from cmr_jax.search.index import Index


def model(index: Index | None, path: str | None, how: dict[str, Any], batch: int) -> Embedder:
    """The model of some weights; without a path, of those that the index was made with.  A ValueError
    where it is another than the index was made with."""
    if path is None:
        if index is None:
            raise ValueError("a new index needs a model: --weights=W.")
        path = index.about.weights
    found = Embedder(weights.load(path, weights.Options.of(how)), batch)
    if index is not None and rows.fingerprint(found) != index.about.model:
        raise ValueError(
            f"{index.path} was made with another model than {path}. Ask with that one "
            f"(it lay in {index.about.weights}), or make the index anew."
        )
    return found


def asked(found: Embedder, index: Index) -> Asked:
    """Findings in the words of the index."""
    return Asked(index.about.questions, found.texts)


def to_fill(
    path: pathlib.Path,
    weights_path: str | None,
    how: dict[str, Any],
    batch: int,
    prompts: str,
    data: str,
) -> tuple[Index, Embedder]:
    """The index of a folder, made where there is none: then the prompts are its findings in words, and
    pictures are as in that data."""
    if (path / ABOUT_FILE).exists():
        index = Index(path)
        return index, model(index, weights_path, how, batch)
    found = model(None, weights_path, how, batch)
    words = Asked(questions.read(prompts), found.texts)
    where = str(pathlib.Path(str(weights_path)).absolute())
    about = rows.about(found, where, words, data)
    return Index.create(path, about, rows.columns(words)), found
