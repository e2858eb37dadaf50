"""Fine-tuning on labels: what is learned from, what rests, and that nothing else sees a label."""

import csv
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import log_loss

from cmr_jax import accumulate, config, losses, objectives, sharding, step, trainer, weights
from cmr_jax.config import Mesh, Objective
from cmr_jax.data import pipeline, targets
from cmr_jax.embedding import Embedder
from cmr_jax.evals.statistics.resamples import Resamples
from cmr_jax.evals.zero_shot import evaluate as told
from cmr_jax.models import dual_encoder
from cmr_jax.schema import LABELS_FILE
from cmr_jax.tokenizer import Tokenizer
from configs import fine_tune

pytestmark = pytest.mark.usefixtures("hasty")
NAMES = ("lv_dysfunction", "lge")


@pytest.fixture
def supervised(tiny, smoke):
    smoke.objective = Objective.SUPERVISED
    smoke.model.outputs = NAMES
    smoke.data.labels = str(tiny / LABELS_FILE)
    smoke.optim.frozen = "text/.*|logit_.*"
    return smoke


def test_the_loss_is_cross_entropy_over_what_is_known():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(40, 2)).astype(np.float32)
    labels = (rng.random((40, 2)) < 0.4).astype(np.float32)
    labels[:7, 0] = np.nan
    known = ~np.isnan(labels)
    value, parts = losses.findings(jnp.asarray(logits), jnp.asarray(labels))
    likely = 1 / (1 + np.exp(-logits[known].astype(float)))
    assert value == pytest.approx(log_loss(labels[known], likely), rel=1e-5)
    right = (logits[known] > 0) == (labels[known] > 0.5)
    assert parts["accuracy"] == pytest.approx(right.mean())
    slope = jax.grad(lambda x: losses.findings(x, jnp.asarray(labels))[0])(jnp.asarray(logits))
    np.testing.assert_array_equal(slope[:7, 0], 0)
    assert np.abs(slope[7:]).min() > 0


def test_without_any_label_there_is_nothing_to_learn_and_no_nan():
    value, _ = losses.findings(jnp.ones((3, 2)), jnp.full((3, 2), jnp.nan))
    assert value == 0


def test_parts_of_a_batch_give_the_gradient_of_the_whole(supervised):
    mesh = sharding.make_mesh(Mesh(4), jax.devices()[:4])
    rng = np.random.default_rng(1)
    plain = pipeline.example_batch(supervised, 8)
    labels = {n: np.where(rng.random(8) < 0.3, np.nan, rng.integers(0, 2, 8)) for n in NAMES}
    batch = plain._replace(
        video=rng.integers(0, 255, plain.video.shape).astype(np.uint8),
        targets={n: v.astype(np.float32) for n, v in labels.items()},
    )
    objective = objectives.Supervised(supervised, mesh)
    with jax.set_mesh(mesh):
        params = step.init_state(supervised, mesh, pipeline.example_batch(supervised, 4)).params
        params["outputs"]["kernel"] = params["outputs"]["kernel"] + 0.3
        there = jax.device_put(batch, sharding.batch_sharding(mesh))
        (whole, slope), (parted, pulled) = (
            jax.jit(
                accumulate.value_and_grad(
                    lambda p, b: objective.embed(p, b, jax.random.key(3)),
                    objective.score,
                    parts,
                    mesh,
                )
            )(params, there)
            for parts in (1, 2)
        )
    assert parted[0] == pytest.approx(float(whole[0]), rel=1e-5)
    for a, b in zip(*(map(np.asarray, jax.tree.leaves(x)) for x in (slope, pulled)), strict=True):
        np.testing.assert_allclose(a, b, atol=5e-6)
    assert np.abs(slope["video"]["project"]["kernel"]).max() > 1e-4


def test_a_tower_learns_from_labels_and_the_texts_rest(supervised, tiny, tmp_path):
    cfg = supervised
    cfg.optim.steps, cfg.optim.lr, cfg.optim.warmup_steps = 40, 5e-3, 2
    cfg.run.save_every, cfg.run.eval_every, cfg.data.augment = 40, 20, False
    start = trainer.Start([], weights.Options())
    fresh = step.parameter_shapes(cfg, pipeline.example_batch(cfg, 1))
    trainer.run(cfg, tmp_path / "run", start, devices=jax.devices()[:1])
    lines = [json.loads(x) for x in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    curve = [x["train/loss"] for x in lines]
    assert np.mean(curve[-10:]) < np.log(2) - 0.03
    assert curve[0] == pytest.approx(np.log(2), abs=1e-4)  # a fresh head says nothing
    assert 0 <= lines[19]["val/auc"] <= 1
    loaded = weights.load(str(tmp_path / "run"))
    params = weights.flatten(loaded.params)
    assert {name: value.shape for name, value in params.items()} == fresh
    mesh = sharding.make_mesh(Mesh(1), jax.devices()[:1])
    with jax.set_mesh(mesh):
        before = weights.flatten(step.init_state(cfg, mesh, pipeline.example_batch(cfg, 1)).params)
    for name, value in params.items():
        assert np.array_equal(value, before[name]) == name.startswith(("text/", "logit_")), name
    # The head tells what it was taught, of the exams that it was taught.
    model = Embedder(loaded, 8)
    embedded = model.exams(str(tiny), "train")
    scores = model.head(embedded.video)
    assert set(scores) == set(NAMES)
    with (tiny / LABELS_FILE).open(newline="") as file:
        truth = {row["exam_id"]: row for row in csv.DictReader(file)}
    labels = {n: np.array([float(truth[e.exam_id][n]) for e in embedded.exams]) for n in NAMES}
    block = told([scores], labels, Resamples(np.arange(len(embedded.exams)), 20))
    assert max(f["auc"]["value"] for f in block["findings"].values()) > 0.75


def test_a_head_is_new_where_weights_have_none(supervised, smoke, tiny, tmp_path):
    plain = config.from_json(config.to_json(supervised))
    plain.objective, plain.model.outputs, plain.data.labels = Objective.CONTRASTIVE, (), ""
    plain.optim.frozen = ""
    params = dual_encoder.init(plain.model, pipeline.example_batch(plain, 1), jax.random.key(0))
    weights.save(tmp_path / "run", weights.Weights(params, plain, Tokenizer.load(tiny)))
    shapes = step.parameter_shapes(supervised, pipeline.example_batch(supervised, 1))
    given, _ = weights.start(supervised, shapes, [str(tmp_path / "run")], weights.Options())
    assert set(shapes) - set(given) == {"outputs/kernel", "outputs/bias"}
    cfg = fine_tune.get_config(str(tmp_path / "run"))
    assert cfg.model.video == plain.model.video
    assert cfg.objective is Objective.SUPERVISED
    cfg.data.path, cfg.data.labels = str(tiny), str(tiny / LABELS_FILE)
    with pytest.raises(ValueError, match=r"model.outputs, the findings to learn"):
        config.validate(cfg)
    cfg.model.outputs = NAMES
    config.validate(cfg)


@pytest.mark.parametrize("arg", ["", "/nowhere"])
def test_fine_tuning_needs_a_trained_model(arg):
    with pytest.raises(ValueError, match=r"configs/fine_tune.py"):
        fine_tune.get_config(arg)


def test_nothing_but_supervised_training_may_see_labels(supervised):
    supervised.objective = Objective.CONTRASTIVE
    with pytest.raises(ValueError, match="nothing else may see labels"):
        config.validate(supervised)


def test_a_text_tower_that_would_wear_away_is_refused(supervised):
    supervised.optim.frozen = ""
    with pytest.raises(ValueError, match="Let it rest"):
        config.validate(supervised)


def test_embedding_with_a_fine_tuned_model_opens_no_labels(supervised, tiny):
    """Its config names a file that may be gone, or of patients that nobody asked about."""
    supervised.data.labels = "/gone/labels.csv"
    example = pipeline.example_batch(supervised, 1)
    params = dual_encoder.init(supervised.model, example, jax.random.key(0))
    loaded = weights.Weights(params, supervised, Tokenizer.load(tiny))
    assert set(Embedder(loaded, 8).exams(str(tiny), "val")._asdict()) == {"video", "text", "exams"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("exam_id,lge\na,1\nb,0\n", "has no column lv_dysfunction"),
        ("exam,lge,lv_dysfunction\na,1,0\n", "has no column exam_id"),
        ("exam_id,lge,lv_dysfunction\na,1,55\nb,0,1\n", "lv_dysfunction must be 0, 1 or empty"),
        ("exam_id,lge,lv_dysfunction\na,1,yes\nb,0,1\n", "lv_dysfunction must be 0, 1 or empty"),
        ("exam_id,lge,lv_dysfunction\na,1,1\na,0,1\n", "has 1 exams in several rows"),
    ],
)
def test_labels_that_cannot_be_learned_from_are_refused(tmp_path, text, problem):
    file = tmp_path / "labels.csv"
    file.write_text(text)
    with pytest.raises(ValueError, match=problem):
        targets.read(str(file), NAMES)


def test_labels_that_are_not_there_are_refused(tmp_path):
    with pytest.raises(ValueError, match="cannot be read as CSV"):
        targets.read(str(tmp_path / "none.csv"), NAMES)


def test_labels_of_other_exams_or_of_one_kind_teach_nothing_and_are_refused(tmp_path):
    file = tmp_path / "labels.csv"
    file.write_text("exam_id,lge,lv_dysfunction\na,1,1\nb,0,1\nc,,0\n")
    added = targets.read(str(file), NAMES)
    added.check(["a", "b", "c", "unknown"])
    with pytest.raises(ValueError, match="2 have lv_dysfunction and 0 have not"):
        added.check(["a", "b"])
    with pytest.raises(ValueError, match="are the labels of this build"):
        added.check(["x", "y"])


def test_a_run_on_other_labels_is_another_run(supervised, tiny, tmp_path):
    file = tmp_path / "labels.csv"
    file.write_text((tiny / LABELS_FILE).read_text())
    supervised.data.labels = str(file)
    made = [trainer.provenance_of(supervised, [str(tiny)], Tokenizer.load(tiny))]
    file.write_text(file.read_text() + "another,1,1\n")
    made.append(trainer.provenance_of(supervised, [str(tiny)], Tokenizer.load(tiny)))
    assert made[0].changes(made[0]) == []
    assert made[0].changes(made[1])
