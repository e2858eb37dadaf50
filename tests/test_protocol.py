"""The published protocol and its repaired twin differ where they should, and nowhere else."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cmr_jax.evals import few_shot, probe, protocol
from cmr_jax.evals.page import trusted

pytestmark = pytest.mark.usefixtures("hasty")

PUBLISHED, HONEST = (protocol.PROTOCOLS[n] for n in ("published", "honest"))


def known(n: int = 200, e: int = 16, seed: int = 0):
    """Features of two classes with some distance between them, two rows of each patient."""
    rng = np.random.default_rng(seed)
    label = (rng.random(n) < 0.4).astype(int)
    features = rng.normal(size=(n, e)) + label[:, None] * 0.8
    return features, label, np.arange(n) // 2


def test_a_patient_is_on_one_side_alone_where_that_is_honest():
    _, _, patient = known()
    for rules, shares in ((PUBLISHED, True), (HONEST, False)):
        train, test = protocol.split(rules, patient)
        assert sorted([*train, *test]) == list(range(200))
        assert len(test) == 60
        assert bool(set(patient[train]) & set(patient[test])) == shares


def test_episodes_without_replacement_hold_different_exams(monkeypatch):
    features, label, _ = known(60)
    seen = []
    real = few_shot.distances
    monkeypatch.setattr(
        few_shot, "distances", lambda support, query: seen.append(support) or real(support, query)
    )
    for replacement, repeats in ((True, True), (False, False)):
        seen.clear()
        found = few_shot.evaluate(
            features[:40], label[:40], features[40:], label[40:], replacement, 1, episodes=20
        )
        least = min((label[:40] == c).sum() for c in (0, 1))
        assert set(found) == {str(k) for k in few_shot.SHOTS if replacement or k <= least}
        same = any(len(np.unique(c, axis=0)) < len(c) for support in seen for c in support)
        assert same == repeats
        assert found["8"]["auc"]["mean"] > found["1"]["auc"]["mean"]
        assert found["1"]["auc"]["std"] > 0


def test_the_probe_learns_and_its_second_softmax_has_a_floor():
    features, label, _ = known(300)
    given = (features[:200], label[:200], features[200:], label[200:])
    assert probe.evaluate(*given, double_softmax=False, seed=0)["auc"] > 0.9
    assert probe.evaluate(*given, double_softmax=True, seed=0)["auc"] > 0.9
    assert probe.evaluate(*given, False, 0) == probe.evaluate(*given, False, 0)
    sure = jnp.array([[50.0, -50.0]])
    right = jnp.array([0])
    assert float(probe.loss_of(sure, right, True)) == pytest.approx(0.3133, abs=1e-4)
    assert float(probe.loss_of(sure, right, False)) == pytest.approx(0.0, abs=1e-6)


def test_dropout_is_only_in_training_and_keeps_the_mean():
    layers = [(jnp.eye(64), jnp.zeros(64)), (jnp.eye(64), jnp.zeros(64))]
    x = jnp.ones((200, 64))
    np.testing.assert_array_equal(probe.forward(layers, x), x)
    dropped = np.asarray(probe.forward(layers, x, jax.random.key(0)))
    assert set(np.unique(dropped)) == {0.0, np.float32(1 / 0.8)}
    assert dropped.mean() == pytest.approx(1.0, abs=0.02)


def test_thresholds_come_from_the_rows_to_calibrate_on():
    label = np.array([1, 1, 1, 0, 0, 0, 1, 0, 1, 0], bool)
    score = np.array([9, 8, 6, 3, 2, 1, 7, 2.5, 1.5, 8.5])
    train, test = np.arange(6), np.arange(6, 10)
    found = protocol.at_cutoff(label, score, train, test)
    assert found["threshold"] == 6  # perfectly apart, and the one at the threshold is lost
    assert found["sensitivity"] == 0.5
    assert found["specificity"] == 0.5
    assert found["n_test_positive"] == 2
    assert found["auc"] == 0.25


def embedded(n=240):
    rng = np.random.default_rng(3)
    label = (rng.random(n) < 0.4).astype(float)
    video = rng.normal(0, 0.3, (n, 8))
    video[:, 0] += label
    text = video + rng.normal(0, 0.1, video.shape)
    rare = np.zeros(n)
    rare[:4] = 1
    some = label.copy()
    some[:50] = np.nan
    size = label * rng.uniform(1, 9, n)
    return video, text, {"lge": label, "hcm": some, "amyloidosis": rare, "effusion_mm": size}


@pytest.mark.parametrize("rules", [PUBLISHED, HONEST], ids=lambda p: p.name)
def test_all_of_the_protocol_on_embeddings_that_know(rules, monkeypatch):
    few = functools.partial(few_shot.evaluate, episodes=5)
    monkeypatch.setattr(few_shot, "evaluate", few)
    video, text, labels = embedded()
    axis = np.eye(8)[:1]
    block = protocol.evaluate(
        rules,
        video,
        text,
        np.arange(0, 240, 2),
        np.arange(240) // 2,
        labels,
        lambda texts: np.repeat(axis, len(texts), 0),
    )
    assert block["protocol"] == rules.name
    assert block["retrieval"]["t2v"]["R1"] > 50
    assert set(block["zero_shot"]) == {"lge"}  # hcm has no published prompts
    assert block["zero_shot"]["lge"]["auc"] > 0.9
    assert set(block["few_shot"]) == set(block["supervised"]) == {"lge", "hcm"}  # rare ones do not
    assert block["supervised"]["hcm"]["auc"] > 0.9
    page = trusted.protocol(rules.name, block)
    assert f"<th>{rules.name} protocol</th>" in page
    assert f"<td>{block['supervised']['lge']['auc']:.3f}</td>" in page
    assert "<th>16-shot</th>" in page
