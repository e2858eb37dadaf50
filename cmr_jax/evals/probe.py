"""A small network on frozen embeddings, one finding against the rest: the supervised evaluation.

The published one applies a softmax before a loss that applies its own, so that its loss cannot fall
under 0.3133 and its gradients fade; `double_softmax` does as it does.
"""

import functools
from typing import cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

HIDDEN, DROPOUT, RATE, BATCH, EPOCHS = 128, 0.2, 1e-4, 16, 30

Layers = list[tuple[jax.Array, jax.Array]]


def evaluate(
    train: np.ndarray,
    train_label: np.ndarray,
    test: np.ndarray,
    test_label: np.ndarray,
    double_softmax: bool,
    seed: int,
) -> dict[str, float]:
    """Accuracy, F1 and AUC on the test rows; features (n, e), labels 0 or 1."""
    likely = scores(train, train_label, test, double_softmax, seed)
    predicted = likely > 0.5
    return {
        "accuracy": float(accuracy_score(test_label, predicted)),
        "f1": float(f1_score(test_label, predicted)),
        "auc": float(roc_auc_score(test_label, likely)),
    }


def scores(
    train: np.ndarray, train_label: np.ndarray, test: np.ndarray, double_softmax: bool, seed: int
) -> np.ndarray:
    """Probability of the finding for each test row."""
    mean, spread = train.mean(0), np.maximum(train.std(0), 1e-12)
    train, test = ((x - mean) / spread for x in (train, test))
    layers = _fit(
        jnp.asarray(train, jnp.float32),
        jnp.asarray(train_label, jnp.int32),
        jax.random.key(seed),
        double_softmax,
    )
    return np.asarray(jax.nn.softmax(forward(layers, jnp.asarray(test, jnp.float32))))[:, 1]


def forward(layers: Layers, x: jax.Array, key: jax.Array | None = None) -> jax.Array:
    """Logits (n, 2) of features (n, e); with a key, dropout before the last layer."""
    for kernel, bias in layers[:-1]:
        x = jax.nn.relu(x @ kernel + bias[None])
    if key is not None:
        x = jnp.where(jax.random.bernoulli(key, 1 - DROPOUT, x.shape), x / (1 - DROPOUT), 0)
    kernel, bias = layers[-1]
    return x @ kernel + bias[None]


def loss_of(logits: jax.Array, label: jax.Array, double_softmax: bool) -> jax.Array:
    """Cross-entropy; of probabilities taken for logits where that is asked for."""
    scores = jax.nn.softmax(logits) if double_softmax else logits
    return optax.softmax_cross_entropy_with_integer_labels(scores, label).mean()


@functools.partial(jax.jit, static_argnames="double_softmax")
def _fit(x: jax.Array, label: jax.Array, key: jax.Array, double_softmax: bool) -> Layers:
    sizes = [(x.shape[1], HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, 2)]
    start, order, drops = jax.random.split(key, 3)
    layers = []
    for n, (inside, outside) in enumerate(sizes):  # PyTorch's: uniform within 1 / sqrt(fan-in)
        w, b = jax.random.split(jax.random.fold_in(start, n))
        bound = inside**-0.5
        kernel = jax.random.uniform(w, (inside, outside), minval=-bound, maxval=bound)
        layers.append((kernel, jax.random.uniform(b, (outside,), minval=-bound, maxval=bound)))
    optimizer = optax.adam(RATE)
    batch = min(BATCH, len(x))
    steps = EPOCHS * (len(x) // batch)
    rows = jnp.concatenate(
        [
            jax.random.permutation(jax.random.fold_in(order, epoch), len(x))[
                : len(x) // batch * batch
            ]
            for epoch in range(EPOCHS)
        ]
    ).reshape(steps, batch)

    def step(carry, at):
        layers, state = carry
        chosen, n = at
        dropped = jax.random.fold_in(drops, n)
        grads = jax.grad(
            lambda p: loss_of(forward(p, x[chosen], dropped), label[chosen], double_softmax)
        )(layers)
        updates, state = optimizer.update(grads, state)
        return (optax.apply_updates(layers, updates), state), None

    (layers, _), _ = jax.lax.scan(step, (layers, optimizer.init(layers)), (rows, jnp.arange(steps)))
    return cast(Layers, layers)
