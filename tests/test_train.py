"""A run: devices do not matter, interruption does not matter, labels are not looked at."""

import builtins
import io
import itertools
import json
import os
import pathlib

import jax
import numpy as np
import pytest

from cmr_jax import config, metrics, objectives, optim, sharding, step, trainer, weights
from cmr_jax.config import Contrast, Mesh, Positives
from cmr_jax.data import pipeline
from cmr_jax.embedding import Embedder
from cmr_jax.losses import pairs
from cmr_jax.models import dual_encoder
from cmr_jax.schema import LABELS_FILE
from cmr_jax.tokenizer import Tokenizer
from cmr_jax.trainer import meter
from cmr_jax.trainer.loop import to_device
from cmr_jax.types import Embeddings
from tests.conftest import tiny_config

pytestmark = pytest.mark.usefixtures("hasty")


def losses(workdir: pathlib.Path) -> list[float]:
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["train/loss"] for line in lines]


def test_eight_devices_and_one_give_the_same_curve(smoke):
    curves = []
    for sizes, devices in ((Mesh(1), 1), (Mesh(2, 2, 2), 8)):
        mesh = sharding.make_mesh(sizes, jax.devices()[:devices])
        tokenizer = Tokenizer.load(pathlib.Path(smoke.data.path, "tokenizer.model"))
        batches = pipeline.TrainBatches(smoke, tokenizer)
        with jax.set_mesh(mesh):
            state = step.init_state(smoke, mesh, pipeline.example_batch(smoke, 8))
            train_step, key = step.make_step(smoke, mesh), jax.random.key(0)
            curve = []
            for _ in range(20):
                state, parts = train_step(state, to_device(next(batches).batch, mesh), key)
                curve.append(float(parts["loss"]))
        curves.append(curve)
    np.testing.assert_allclose(curves[1], curves[0], atol=2e-4)
    assert len(set(np.round(curves[0], 5))) > 10  # something moved


def test_it_learns_and_the_loss_goes_down(smoke, tmp_path):
    smoke.optim.steps, smoke.optim.lr, smoke.run.save_every = 60, 3e-3, 60
    trainer.run(smoke, tmp_path, devices=jax.devices()[:1])
    curve = losses(tmp_path)
    assert np.mean(curve[-10:]) < np.mean(curve[:10]) - 0.15


def test_training_never_opens_labels(smoke, tmp_path, monkeypatch):
    opened = []
    for module, name in ((builtins, "open"), (io, "open"), (os, "open")):
        real = getattr(module, name)

        def spy(path, *args, real=real, **kwargs):
            opened.append(str(path))
            return real(path, *args, **kwargs)

        monkeypatch.setattr(module, name, spy)
    smoke.optim.steps = 2
    trainer.run(smoke, tmp_path, devices=jax.devices()[:1])
    assert any(path.endswith("manifest.json") for path in opened)  # the spy sees
    assert not [path for path in opened if path.endswith(LABELS_FILE)]


def test_speed_leaves_evaluations_and_saves_out(smoke, monkeypatch):
    clock = itertools.count(0.0, 10.0)  # each reading is ten seconds later
    monkeypatch.setattr(meter.time, "monotonic", lambda: next(clock))
    made = meter.Meter(smoke, sharding.make_mesh(config.Mesh(), jax.devices()[:1]))
    made.begin(1, 0.0)  # at 10 s
    with made.paused():  # 20 to 30 s
        pass
    values = made.report(6, 1.0)  # at 40 s: five steps in 20 s
    assert values["time/exams_per_s"] == pytest.approx(5 * smoke.data.batch / 20)
    assert values["time/wait_share"] == pytest.approx(1 / 20)


def test_decay_spares_vectors_and_embeddings():
    cfg = tiny_config("")
    params = dual_encoder.init(cfg.model, pipeline.example_batch(cfg, 1), jax.random.key(0))
    flags = {
        sharding.path_of(k): v
        for k, v in jax.tree_util.tree_leaves_with_path(optim.decayed(params))
    }
    assert flags["video/blocks/mlp/up/kernel"]
    assert not any(
        flags[p]
        for p in ("video/position", "text/token/embedding", "logit_scale", "video/norm/bias")
    )


def test_positives_are_own_texts_or_equal_ones(smoke):
    batch = pipeline.example_batch(smoke, 3)._replace(
        report_group=np.array([[5, 5], [5, 8], [9, -1]], np.int32)
    )
    own = np.asarray(objectives.pairing_of(batch, Positives.SELF).group)
    assert own.tolist() == [[0, 0], [1, 1], [2, -1]]
    assert np.asarray(objectives.pairing_of(batch, Positives.GROUP).group).tolist() == [
        [5, 5],
        [5, 8],
        [9, -1],
    ]


@pytest.mark.parametrize("positives", Positives)
def test_an_exam_twice_in_a_batch_is_no_negative_of_itself(smoke, positives):
    groups, none = np.array([[5, 6, 13], [7, 8, 14], [5, 9, 15]], np.int32), np.zeros((3, 3), int)
    batch = pipeline.example_batch(smoke, 3)._replace(
        report_group=groups,
        exam_key=np.array([4, 5, 4], np.int32),
        says=none.astype(np.int32),
        exam_says=none[:, 0].astype(np.int32),
        untrue=np.array([[False, False, True]] * 3),
    )
    one = np.float32(1)
    embeddings = Embeddings(np.ones((3, 4)), np.ones((3, 3, 4)), one, one)
    all_ = pairs.sides(embeddings, objectives.pairing_of(batch, positives), Contrast())
    right = pairs.relate(all_, all_.of_text, all_.text_says, Contrast())[0]
    right = np.asarray(right).reshape(3, 3, 3)
    np.testing.assert_array_equal(right[:, :, 0], [[1, 0, 1], [0, 1, 0], [1, 0, 1]])
    assert not right[:, :, 2].any()  # an untrue text is nobody's


def test_of_sentences_an_impression_is_its_own_exams_alone(smoke):
    a, b = 1, 2  # what the texts say; the second exam's report says both, the others' one
    batch = pipeline.example_batch(smoke, 3)._replace(
        report_group=np.array([[5, 6, 13], [7, 8, 14], [9, -1, -1]], np.int32),
        says=np.array([[a, a, a | b], [a | b, b, a], [b, 0, 0]], np.int32),
        exam_says=np.array([a, a | b, b], np.int32),
        untrue=np.array([[False, False, True]] * 3),
    )
    right = {}
    for positives in (Positives.SAID, Positives.SENTENCES):
        pairing = objectives.pairing_of(batch, positives)
        one = np.float32(1)
        embeddings = Embeddings(np.ones((3, 4)), np.ones((3, 3, 4)), one, one)
        all_ = pairs.sides(embeddings, pairing, Contrast())
        right[positives] = np.asarray(
            pairs.relate(all_, all_.of_text, all_.text_says, Contrast())[0]
        ).reshape(3, 3, 3)
    said, sentences = right.values()
    assert said[:, :, 0].tolist() == [
        [True, False, False],
        [True, True, True],
        [False, False, True],
    ]
    assert sentences[:, :, 0].tolist() == np.eye(3, dtype=bool).tolist()
    np.testing.assert_array_equal(sentences[:, :, 1], said[:, :, 1])
    assert sentences[:, :2, 1].tolist() == [[True, False], [True, True], [False, True]]
    assert not sentences[:, :, 2].any()  # nobody's, whoever's report happens to say so


def test_export_reads_back_to_equal_embeddings(smoke, tmp_path):
    smoke.optim.steps = 2
    trainer.run(smoke, tmp_path / "run", devices=jax.devices()[:1])
    weights.save(tmp_path / "export", weights.load(str(tmp_path / "run")))
    a, b = (
        Embedder(weights.load(str(tmp_path / n)), 8).exams(smoke.data.path, "test")
        for n in ("run", "export")
    )
    np.testing.assert_array_equal(a.video, b.video)
    np.testing.assert_array_equal(a.text, b.text)
    assert np.isfinite(a.video).all()
    assert len(metrics.ranks(a.text @ a.video.T)) == len(a.exams)


def test_a_foreign_config_is_refused(smoke, tmp_path):
    smoke.optim.steps = 1
    trainer.run(smoke, tmp_path, devices=jax.devices()[:1])
    plain = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(plain | {"surprise": 1}))
    with pytest.raises(ValueError, match="surprise"):
        weights.load(str(tmp_path))
    (tmp_path / "config.json").write_text("import os")
    with pytest.raises(ValueError, match="not a config"):
        weights.load(str(tmp_path))


def test_config_survives_json(smoke):
    assert config.from_json(config.to_json(smoke)) == smoke


def test_runs_of_several_seeds_differ_and_are_found(smoke, tmp_path):
    smoke.optim.steps = 1
    for smoke.run.seed in (3, 4):
        trainer.run(smoke, tmp_path / f"seed{smoke.run.seed}", devices=jax.devices()[:1])
    assert [p.name for p in weights.runs(str(tmp_path))] == ["seed3", "seed4"]
    assert weights.runs(str(tmp_path / "seed3")) == [tmp_path / "seed3"]
    assert weights.runs("/nowhere") == [
        pathlib.Path("/nowhere")
    ]  # whose loading says what is wrong
    assert losses(tmp_path / "seed3") != losses(tmp_path / "seed4")


def test_seeds_share_one_compiled_program(smoke):
    smoke.model.video.dropout = 0.1  # without dropout the step draws nothing
    texts = []
    for smoke.run.seed in (1, 2):
        mesh = sharding.make_mesh(smoke.mesh, jax.devices()[:1])
        with jax.set_mesh(mesh):
            batch = pipeline.example_batch(smoke, smoke.data.batch)
            state = jax.eval_shape(lambda b=batch, m=mesh: step.init_state(smoke, m, b))
            lowered = step.make_step(smoke, mesh).lower(state, batch, jax.random.key(0))
        texts.append(lowered.as_text())
    assert texts[0] == texts[1]
