"""The embedding pass: all devices share it, and none changes what comes out."""

import jax
import numpy as np
import pytest

from cmr_jax.data.source import ExamSource
from cmr_jax.embedding import Embedder


@pytest.fixture(scope="module")
def alone(unlearned):
    """The same model on one device."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
        return Embedder(unlearned.weights, 3)


def test_every_device_has_the_parameters_and_its_share_of_the_exams(unlearned, tiny):
    batch, _ = next(iter(unlearned.batches(ExamSource(str(tiny), "test"))))
    made = unlearned._video(unlearned.weights.params, unlearned._spread(batch))
    assert len(made.sharding.device_set) == len(jax.devices()) > 1
    assert {shard.data.shape[0] for shard in made.addressable_shards} == {16 // len(jax.devices())}
    for leaf in jax.tree.leaves(unlearned.weights.params):
        assert leaf.sharding.is_fully_replicated


def test_exams_and_texts_embed_alike_on_one_device_and_on_many(unlearned, alone, tiny):
    assert alone.at_once == 3
    assert unlearned.at_once == 16
    source = ExamSource(str(tiny), "test")
    one, many = (model.videos(model.batches(source)) for model in (alone, unlearned))
    np.testing.assert_allclose(one, many, rtol=2e-5, atol=2e-6)
    batch, _ = next(iter(unlearned.batches(source)))
    few = jax.tree.map(lambda x: x[:5], batch)  # divides over no devices
    np.testing.assert_allclose(unlearned.clips(few), many[:5], rtol=2e-5, atol=2e-6)
    words = ["dilated left ventricle", "no enhancement", "normal"]
    np.testing.assert_allclose(alone.texts(words), unlearned.texts(words), rtol=2e-5, atol=2e-6)


def test_a_batch_grows_until_it_divides_over_the_devices(unlearned):
    asked = Embedder(unlearned.weights, len(jax.devices()) + 1)
    assert asked.at_once == asked.cfg.data.batch == 2 * len(jax.devices())
    assert unlearned.cfg.data.batch == unlearned.at_once == 16  # of the same weights
