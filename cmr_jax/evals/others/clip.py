"""General-purpose CLIP models for `--embed`: what does a model know that never saw a heart?

    --embed=cmr_jax.evals.others.clip:Transformers:FOLDER_OR_NAME
    --embed=cmr_jax.evals.others.clip:OpenClip:ARCHITECTURE/WEIGHTS_OR_FILE

Neither package is needed for anything else: pip install 'cmr_jax[clip]'.
"""

import importlib

import numpy as np
from PIL import Image

AT_ONCE = 64


class Transformers:
    """A dual encoder of transformers (CLIP, SigLIP, ...): a folder of its files, or a hub's name."""

    def __init__(self, name: str):
        package = importlib.import_module("transformers")
        # Nothing is to be learned: no graph is kept.
        self._model = package.AutoModel.from_pretrained(name).eval().requires_grad_(False)
        self._processor = package.AutoProcessor.from_pretrained(name)

    def images(self, pictures: np.ndarray) -> np.ndarray:
        """Through the model's own resizing and normalising; grey as three equal colours."""
        colours = [np.repeat(_bytes(p)[..., None], 3, -1) for p in pictures]
        made = [
            self._model.get_image_features(
                **self._processor(images=colours[i : i + AT_ONCE], return_tensors="pt")
            )
            for i in range(0, len(colours), AT_ONCE)
        ]
        return np.concatenate(list(map(_array, made)))

    def texts(self, sentences: list[str]) -> np.ndarray:
        """What is longer than the model takes is cut."""
        made = [
            self._model.get_text_features(
                **self._processor(
                    text=sentences[i : i + AT_ONCE],
                    return_tensors="pt",
                    padding="max_length",
                    truncation=True,
                    max_length=self._model.config.text_config.max_position_embeddings,
                )
            )
            for i in range(0, len(sentences), AT_ONCE)
        ]
        return np.concatenate(list(map(_array, made)))


class OpenClip:
    """A model of open_clip: ARCHITECTURE/WEIGHTS, as ViT-B-32/laion2b_s34b_b79k or a file's path."""

    def __init__(self, name: str):
        package = importlib.import_module("open_clip")
        architecture, _, pretrained = name.partition("/")
        if not pretrained:
            raise ValueError(f"--embed: {name} has no weights. Write ARCHITECTURE/WEIGHTS_OR_FILE.")
        self._model, _, self._prepare = package.create_model_and_transforms(
            architecture, pretrained=pretrained
        )
        self._model.eval().requires_grad_(False)
        self._tokens = package.get_tokenizer(architecture)

    def images(self, pictures: np.ndarray) -> np.ndarray:
        """Through the model's own resizing and normalising."""
        made = []
        for i in range(0, len(pictures), AT_ONCE):
            ready = [
                self._prepare(Image.fromarray(_bytes(p)).convert("RGB"))
                for p in pictures[i : i + AT_ONCE]
            ]
            stacked = ready[0].new_zeros((len(ready), *ready[0].shape))
            for row, one in zip(stacked, ready, strict=True):
                row.copy_(one)
            made.append(_array(self._model.encode_image(stacked)))
        return np.concatenate(made)

    def texts(self, sentences: list[str]) -> np.ndarray:
        """What is longer than the model takes is cut."""
        made = [
            self._model.encode_text(self._tokens(sentences[i : i + AT_ONCE]))
            for i in range(0, len(sentences), AT_ONCE)
        ]
        return np.concatenate(list(map(_array, made)))


def _bytes(picture: np.ndarray) -> np.ndarray:
    return np.round(255 * picture).astype(np.uint8)


def _array(made) -> np.ndarray:
    # Newer versions of transformers give features with what else a tower says.
    made = getattr(made, "pooler_output", made)
    return made.detach().float().cpu().numpy()
