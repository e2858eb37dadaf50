"""The planner: the reader of programs on programs, the formulas beside it, the verdict, the command."""

import collections
import dataclasses
import functools

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import PartitionSpec

from cmr_jax import config, planner, sharding
from cmr_jax.config import Mesh, Pool, Precision, Remat, published
from cmr_jax.data import pipeline
from cmr_jax.models import dual_encoder
from cmr_jax.planner import chips, compilation, flops, memory, program, roofline
from cmr_jax.planner.collectives import Collective, part_of
from cmr_jax.planner.program import Work
from tests.conftest import GOLDEN, ROOT, run, tiny_config

CHIP = chips.Chip("fake", ("fake",), 100.0, 1000.0, 10.0, 1.0, "invented", 2, 4, (2, 4))
COLLECTIVES = GOLDEN / "collectives_8.txt"


pytestmark = pytest.mark.usefixtures("hasty")


def text_of(function, *shapes, mesh=None, specs=None):
    """The optimised program of a function of float32 arrays, on one device or eight."""
    given = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    if mesh is not None:
        function = jax.shard_map(function, mesh=mesh, in_specs=specs[:-1], out_specs=specs[-1])
    return jax.jit(function).lower(*given).compile().as_text()


def line():
    return sharding.make_mesh(Mesh(8), jax.devices())


def kinds(work: Work) -> dict[str, tuple[float, int, int]]:
    """How often, bytes and group size, by kind."""
    return {c.kind: (n, c.bytes, len(c.group)) for c, n in work.collectives.items()}


def test_exchanges_in_a_scan_count_as_often_as_it_turns():
    def turn(x, _):
        everyone = jax.lax.all_gather(x, "data", tiled=True)  # 64 x 4
        mine = jax.lax.psum_scatter(jnp.sin(everyone), "data", tiled=True)
        ahead = jax.lax.ppermute(jnp.cos(mine), "data", [(i, (i + 1) % 8) for i in range(8)])
        return ahead * jax.lax.pmax(jnp.exp(ahead), "data"), None

    def scanned(x):
        return jax.lax.scan(turn, x, length=5)[0]

    rows = PartitionSpec("data")
    work = program.measure(text_of(scanned, (64, 4), mesh=line(), specs=(rows, rows)))
    assert kinds(work) == {
        "all-gather": (5, 64 * 4 * 4, 8),
        "reduce-scatter": (5, 64 * 4 * 4, 8),
        "collective-permute": (5, 8 * 4 * 4, 8),
        "all-reduce": (5, 8 * 4 * 4, 8),
    }
    assert not work.unknown


def test_groups_are_those_of_the_mesh_axis():
    def both(x):
        return jax.lax.psum(jnp.sin(jax.lax.psum(x, "fsdp")), "data")

    mesh = sharding.make_mesh(Mesh(2, 4, 1), jax.devices())
    specs = (PartitionSpec(("data", "fsdp")), PartitionSpec())
    work = program.measure(text_of(both, (8, 4), mesh=mesh, specs=specs))
    assert sorted(c.group for c in work.collectives) == [(0, 1, 2, 3), (0, 4)]


def test_scans_within_scans_multiply():
    def inner(x, _):
        return jnp.tanh(x @ x), None

    def outer(x, _):
        return jax.lax.scan(inner, x, length=4)[0], None

    def whole(x):
        return jax.lax.scan(outer, x, length=3)[0]

    work = program.measure(text_of(whole, (16, 16)))
    assert sum(work.flops.values()) == 3 * 4 * 2 * 16**3


def test_a_loop_without_a_bound_is_said_and_counted_once():
    def until(x):
        return jax.lax.while_loop(lambda y: y.sum() < 9, lambda y: jnp.tanh(y @ y), x)

    work = program.measure(text_of(until, (16, 16)))
    assert work.unknown
    assert sum(work.flops.values()) == 2 * 16**3


def test_of_two_branches_the_heavier_counts():
    def choose(x, y):
        return jax.lax.cond(x[0, 0] > 0, lambda: y @ y, lambda: (y @ y) @ (y @ y) @ y)

    work = program.measure(text_of(choose, (2, 2), (16, 16)))
    assert sum(work.flops.values()) == 3 * 2 * 16**3


@pytest.mark.parametrize(
    ("product", "a", "b", "expected"),
    [
        ("ik,kj->ij", (3, 5), (5, 7), 2 * 3 * 5 * 7),
        ("bik,bkj->bij", (4, 3, 5), (4, 5, 7), 4 * 2 * 3 * 5 * 7),
        ("bihk,bjhk->bhij", (2, 3, 4, 5), (2, 6, 4, 5), 2 * 4 * 2 * 3 * 6 * 5),
    ],
)
def test_products_count_two_for_each_pair(product, a, b, expected):
    text = text_of(functools.partial(jnp.einsum, product), a, b)
    assert sum(program.measure(text).flops.values()) == expected


def test_of_a_convolution_what_meets_padding_does_not_count():
    def convolve(x, w):
        dims = ("NWC", "WIO", "NWC")
        return jax.lax.conv_general_dilated(x, w, (1,), ((1, 1),), dimension_numbers=dims)

    work = program.measure(text_of(convolve, (2, 10, 3), (3, 3, 5)))
    meetings = 3 * 10 - 2  # three taps at ten places, less one beyond each end
    assert sum(work.flops.values()) == 2 * 2 * 3 * 5 * meetings


def test_a_scan_over_layers_reads_each_layer_once():
    def stacked(x, layers):
        return jax.lax.scan(lambda y, w: (jnp.tanh(y @ w), None), x, layers)[0]

    few, many = (
        sum(program.measure(text_of(stacked, (1, 256), (n, 256, 256))).traffic.values())
        for n in (4, 16)
    )
    layer = 256 * 256 * 4
    assert 4 * layer < few < 4 * 3.5 * layer
    assert many / few == pytest.approx(4, rel=0.1)  # 16 if every turn moved the whole stack


TPU = (ROOT / "tests/fixtures/hlo_tpu.txt").read_text()


def test_a_program_for_tpus_is_read_as_they_write_it():
    work = program.measure(TPU)
    found = collections.Counter()
    for one, n in work.collectives.items():
        found[one.kind, one.bytes, one.group, one.part] += n
    everyone = tuple(range(8))
    assert found == {
        # Started and done in a loop whose bound stands in its condition alone: once a turn.
        ("all-gather", 128 * 64 * 2, everyone, "update"): 6,
        # Spread over two fusions, started in one.
        ("all-gather", 8 * 256 * 4, everyone, "update"): 1,
        # A gather as a sum of slices; groups of numbers that were turned over.
        ("all-reduce", 4096 * 512 * 4, (0, 2, 4, 6), "loss"): 1,
        ("all-reduce", 256 * 4, (0, 2, 4, 6), "update"): 1,
        ("collective-permute", 256 * 4, (0, 2), "update"): 1,
    }
    # Attention over heads, as a convolution with holes.
    assert sum(work.flops.values()) == 2 * 196 * 12 * 64 * 65 * 64


def test_memory_is_counted_with_its_padding_and_without_what_stays_on_the_chip():
    """The loop's body: a fusion reads 16 x 64 values, in 128 lanes; the rest never leaves."""
    text = TPU.split("ENTRY")[0].replace("%body (p", "ENTRY %body (p")
    assert sum(program.measure(text).traffic.values()) == 16 * 128 * 2


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("jit(step)/jvp(DualEncoder)/video/while/body/dot_general", "towers"),
        ("jit(step)/transpose(jvp(DualEncoder))/text/while/body/dot_general", "gradients"),
        ("jit(step)/jvp()/shard_map/all_gather", "loss"),
        ("jit(step)/transpose(jvp())/shard_map/psum_invariant", "gradients"),
        ("jit(step)/mul", "update"),
    ],
)
def test_operations_are_told_apart_by_the_part_they_serve(name, part):
    assert part_of(name) == part


def test_flops_follow_the_formula_of_the_published_size():
    """One base exam: 12 blocks, 64 frames of 196 patches; linear layers dominate."""
    cfg = config.Experiment()
    cfg.data.clip = config.Clip(sax_slices=5, phases=7, lge_slices=5, size=224)
    assert cfg.data.clip.frames == 64
    tokens, d = 64 * 196, 768
    linear = 12 * 32 * tokens * d * d
    attention = 12 * 4 * d * tokens * (64 + 196)
    stem = 2 * tokens * 256 * d
    assert flops.forward_flops(cfg)["video"] == pytest.approx(linear + attention + stem)
    assert flops.forward_flops(cfg)["video"] / 1e12 == pytest.approx(2.98, abs=0.03)


@pytest.mark.parametrize(("frames", "gflop"), [(8, 369.2), (16, 739.2), (64, 2978.2)])
def test_flops_of_the_published_model_are_those_that_pytorch_counts(frames, gflop):
    cfg = published.experiment(1)
    cfg.data.clip.sampled, cfg.model.text.length = frames, 128
    found = flops.forward_flops(cfg)
    assert found["video"] / 1e9 == pytest.approx(gflop, abs=0.06)
    assert found["text"] / 1e9 == pytest.approx(22.3, abs=0.06)
    cfg.model.video.time = config.TimeMixing.MEAN
    assert flops.forward_flops(cfg)["video"] / 1e9 < 0.8 * gflop


def middling(remat: Remat = Remat.NONE, pool: Pool = Pool.PLACES) -> config.Experiment:
    """Wide enough for the formula's terms to be most of a step."""
    cfg = tiny_config("")
    cfg.data.batch, cfg.data.clip.size, cfg.model.remat = 2, 64, remat
    video = config.VideoTower(width=96, depth=3, heads=2, patch=8, place_width=2, pool=pool)
    text = config.TextTower(width=64, depth=2, heads=2, length=64)
    cfg.model = dataclasses.replace(cfg.model, video=video, text=text)
    return cfg


def test_the_formula_of_a_forward_pass_is_what_its_program_does():
    cfg = middling(pool=Pool.CLS)
    batch = pipeline.example_batch(cfg, 1)
    params = jax.eval_shape(lambda: dual_encoder.init(cfg.model, batch, jax.random.key(0)))
    made = jax.jit(functools.partial(dual_encoder.apply, cfg.model)).lower(params, batch)
    counted = sum(program.measure(made.compile().as_text()).flops.values())
    assert counted == pytest.approx(sum(flops.forward_flops(cfg, unread=False).values()), rel=0.02)
    assert counted < 0.9 * sum(flops.forward_flops(cfg).values())  # the last block is cut


def gradient(cfg: config.Experiment) -> float:
    """FLOPs of a program for the gradient of both towers, by a loss that costs nothing.

    As JAX hands it to the compiler, which saves the time of compiling: products are the same.
    """
    batch = pipeline.example_batch(cfg, cfg.data.batch)
    params = jax.eval_shape(lambda: dual_encoder.init(cfg.model, batch, jax.random.key(0)))

    def loss(params, batch):
        made = dual_encoder.apply(cfg.model, params, batch, train=True)
        return made.video.sum() + made.text.sum()

    text = jax.jit(jax.grad(loss)).lower(params, batch).as_text(dialect="hlo")
    return sum(program.measure(text).flops.values())


@pytest.mark.parametrize(("remat", "pool"), [(Remat.NONE, Pool.CLS), (Remat.DOTS, Pool.PLACES)])
def test_the_formula_of_a_gradient_is_what_its_program_does(remat, pool):
    cfg = middling(remat, pool)
    step = flops.training_flops(cfg)
    assert gradient(cfg) == pytest.approx(step.hardware, rel=0.02)
    assert (step.hardware > 1.02 * step.model) == (remat is Remat.DOTS)


@pytest.mark.parametrize(
    "change",
    [{}, {"micro_batch": 1}, {"patch_dropout": 0.5, "frame_dropout": 0.25}, {"frozen": "video/.*"}],
    ids=str,
)
def test_the_formula_of_a_step_is_what_its_program_does(change):
    cfg = middling(Remat.FULL)
    for name, value in change.items():
        for options in (cfg.data, cfg.optim, cfg.model.video):
            if hasattr(options, name):
                setattr(options, name, value)
    mesh = sharding.make_mesh(cfg.mesh, jax.devices()[:1])
    compiled = compilation.compile_step(cfg, mesh).compiled
    step = flops.training_flops(cfg)
    counted = sum(program.measure(compiled.as_text()).flops.values())
    assert counted == pytest.approx(step.hardware, rel=0.02)
    assert (step.hardware > 1.2 * step.model) == ("frozen" not in change)


def test_accumulation_costs_one_more_forward_pass():
    cfg = middling()
    forward = sum(flops.forward_flops(cfg, unread=False).values()) * cfg.data.batch
    whole = flops.training_flops(cfg)
    cfg.data.micro_batch = 1
    halves = flops.training_flops(cfg)
    assert halves.hardware - whole.hardware == pytest.approx(forward)
    assert halves.model == whole.model == pytest.approx(3 * forward)


def test_only_embeddings_are_gathered_and_only_gradients_are_summed(update_golden):
    """Of the tiny step on eight devices.  A change here is a change of what the network carries."""
    found, sums = "", []
    for batch in (8, 16):  # at once, and in two parts
        cfg = tiny_config("")
        cfg.data.batch, cfg.data.micro_batch = batch, 8
        compiled = compilation.compile_step(cfg, line()).compiled
        counts: collections.Counter[str] = collections.Counter()
        for one, n in program.measure(compiled.as_text()).collectives.items():
            for shape in one.shapes.split():
                counts[f"{one.kind} {one.part} {shape}"] += round(n)
            # Of an exam its embedding is 8 numbers, its two texts' 16.
            if one.part == "loss":
                assert one.bytes <= batch * 2 * 8 * 4, one
            else:
                assert one.kind == "all-reduce", one
        found += f"{batch // 8} x 8 exams\n"
        found += "".join(f"  {name} x{n}\n" for name, n in sorted(counts.items()))
        exchanges = program.measure(compiled.as_text()).collectives.items()
        sums.append(sum(n * one.bytes for one, n in exchanges if one.part == "gradients"))
    if update_golden:
        COLLECTIVES.write_text(found)
    assert found == COLLECTIVES.read_text(), "exchanges changed; if meant: pytest --update-golden"
    assert sums[1] == pytest.approx(sums[0], rel=0.01)  # parts add up before devices meet


def test_bytes_on_a_device_are_those_of_its_share():
    cfg = tiny_config("")
    whole, split = (
        compilation.shapes(cfg, sharding.make_mesh(sizes, jax.devices()))
        for sizes in (Mesh(8), Mesh(1, 8))
    )
    kernel = whole[0].params["video"]["blocks"]["mlp"]["up"]["kernel"]
    assert compilation.per_device(kernel) == 2 * 16 * 32 * 4
    kernel = split[0].params["video"]["blocks"]["mlp"]["up"]["kernel"]
    assert compilation.per_device(kernel) == 2 * 16 * 32 * 4 / 8
    pixels = cfg.data.clip.frames * 32 * 32
    assert (
        compilation.per_device(whole[1].video) == compilation.per_device(split[1].video) == pixels
    )


def found(needed: float | None, working: float = 1600.0) -> memory.Memory:
    kinds = {"params": 100.0, "optimizer": 60.0, "batch": 40.0}
    return memory.Memory(kinds, working, needed, CHIP.memory, "a fake")


def test_what_does_not_fit_names_the_knobs_that_are_not_turned():
    cfg = config.Experiment()
    cfg.data.batch = 64
    line = memory.verdict(cfg, 8, found(1800.0))
    # 8 exams a device work in 1600, 800 are left: 4 at once.
    for knob in ("data.micro_batch=32", "model.remat=full", "precision=bfloat16", "mesh.fsdp=8"):
        assert knob in line
    assert line.startswith("does not fit: needs 0.00 of 0.00 GB of a fake; turn: ")
    cfg.model.remat, cfg.model.precision = Remat.FULL, Precision.BFLOAT16
    cfg.mesh.fsdp, cfg.data.micro_batch = 8, 8
    assert "turn: more devices" in memory.verdict(cfg, 8, found(1800.0))


def test_what_just_fits_fits_and_what_is_not_known_does_not():
    assert found(1000.0).fits
    assert not found(1001.0).fits
    assert not found(None).fits
    assert memory.verdict(config.Experiment(), 1, found(1000.0)).startswith("fits: needs")


@pytest.mark.parametrize(
    ("message", "gib"),
    [
        (
            "RESOURCE_EXHAUSTED: Ran out of memory on HBM, the total memory required for HLO "
            "temporaries (28.88G) exceeds available HBM (15.75G).",
            28.88 + 2,
        ),
        ("XLA:TPU compile permanent error. CompileTimeHbmOom: Used 20.5G of 15.75G hbm.", 20.5),
        ("CompileTimeHbmOom: 214 GB exceeds 15.75 GB", 214),
        ("RESOURCE_EXHAUSTED: nothing is said", None),
    ],
)
def test_a_compiler_that_runs_out_of_memory_says_how_much_it_needs(message, gib):
    found = compilation.needed_bytes(message, given=2.0 * 2**30)
    assert found == (None if gib is None else pytest.approx(gib * 2**30))


def test_a_refusal_of_the_compiler_is_an_answer_and_other_errors_are_not(monkeypatch):
    class Lowered:
        def lower(self, *shapes):
            return self

        def compile(self):
            raise jax.errors.JaxRuntimeError(message)

    monkeypatch.setattr(compilation.step, "make_step", lambda cfg, mesh: Lowered())
    cfg, mesh = tiny_config(""), sharding.make_mesh(Mesh(1), jax.devices()[:1])
    # Less than this host has: that the compiler refused is what counts.
    message = "RESOURCE_EXHAUSTED: memory required for HLO temporaries (0.5G) exceeds (0.4G)."
    plan = planner.describe(cfg, mesh)
    assert not plan.fits
    assert "does not fit: needs 0.54 of" in plan.text
    message = "INTERNAL: a bug"
    with pytest.raises(jax.errors.JaxRuntimeError, match="a bug"):
        planner.describe(cfg, mesh)


def exchange(kind: str, size: int, devices: int = 256, part: str = "gradients") -> Collective:
    return Collective(kind, "", size, tuple(range(devices)), part)


def test_an_exchange_takes_as_long_as_its_busiest_link():
    v5e, h100 = (next(c for c in chips.CHIPS if c.name == name) for name in ("v5e", "h100"))
    pod, tray, node = roofline.box((16, 16)), roofline.box((2, 4)), roofline.box((8,))
    gigabyte = 10**9
    # A ring each way along both axes: four links of 50 GB/s.
    summed = roofline.seconds(exchange("all-reduce", gigabyte), v5e, pod)
    assert summed == pytest.approx(2 * 255 / 256 / 200)
    # Eight chips have no rings: two links.
    gathered = roofline.seconds(exchange("all-gather", gigabyte, 8), v5e, tray)
    assert gathered == pytest.approx(7 / 8 / 100)
    assert roofline.seconds(exchange("collective-permute", gigabyte), v5e, pod) == 1 / 50
    # One row of the pod is a ring of two links.
    row = roofline.seconds(exchange("all-gather", gigabyte, 16), v5e, pod)
    assert row == pytest.approx(15 / 16 / 100)
    # All to all of a row: 16 / 8 of its bytes over the middle, each way.
    crossed = roofline.seconds(exchange("all-to-all", gigabyte, 16), v5e, pod)
    assert crossed == pytest.approx(2 / 50)
    scattered = roofline.seconds(exchange("reduce-scatter", gigabyte, 8), h100, node)
    assert scattered == pytest.approx(7 / 8 / 450)
    far = roofline.seconds(exchange("all-reduce", gigabyte, 16), h100, roofline.box((16,)))
    assert far == pytest.approx(2 * 15 / 16 / 50)


def test_scaling_is_what_the_exchanges_leave():
    """64 fake chips as 8 x 8 rings of one byte a second, beside 2 x 4 whose short side is open."""
    work = Work()
    work.flops.update({"towers": 1000.0, "loss": 80.0})
    work.traffic.update({"towers": 50.0})
    work.collectives[exchange("all-reduce", 64, 64)] = 1
    work.collectives[exchange("all-gather", 128, 64, "loss")] = 1
    found = roofline.roofline(work, CHIP, roofline.box((8, 8)), model_flops=64 * 500.0)
    # 1080 / 100, 50 / 10, and over four links 2 x 63 bytes of gradients and 126 of embeddings.
    assert found.here == pytest.approx((10.8, 5.0, 126 / 4 + 126 / 4))
    # The loss is an eighth; three links carry 2 x 56 bytes of gradients and 14 of embeddings.
    assert found.eight == pytest.approx((10.1, 5.0, 112 / 3 + 14 / 3))
    assert found.efficiency == pytest.approx((57.1 / 78.8, 42 / 63))
    assert found.utilisation == pytest.approx((5 / 78.8, 5 / 63))
    few = roofline.roofline(roofline.on_eight(work, 64), CHIP, roofline.box((2, 4)), 1.0)
    assert few.here == found.eight
    assert few.efficiency is None


def test_chips_are_found_by_the_names_that_jax_gives_them():
    names = ["TPU v5 lite", "TPU v5", "TPU v6 lite", "TPU v4", "NVIDIA H100 80GB HBM3", "cpu"]
    found = [chips.of_kind(name) for name in names]
    assert [chip and chip.name for chip in found] == ["v5e", "v5p", "v6e", "v4", "h100", None]
    assert chips.of_topology("v5p:4x4x4")[1] == 64
    for wrong in ("v5e", "v7x:2x2", "v5e:16", "h100:2x4", "v5e:2x2; rm"):
        with pytest.raises(ValueError, match=r"v5e:16x16 or v5p:4x4x4. Chips: v4, v5e, v5p, v6e"):
            chips.of_topology(wrong)


def test_a_topology_without_its_compiler_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(compilation.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r'pip install "cmr_jax\[aot\]"'):
        planner.devices_of("v5e:2x2")


def test_the_command_exits_with_one_where_a_run_does_not_fit():
    small = ["--config.data.clip.size=32", "--config.model.video.width=16"]
    flags = ["--config=configs/smoke.py", "--dry_run", *small, "--config.data.batch=2000000"]
    done = run("cmr_jax.train", *flags, check=False, JAX_DISABLE_MOST_OPTIMIZATIONS="1")
    assert done.returncode == 1, done.stderr
    last = done.stdout.splitlines()[-1]
    assert last.startswith("does not fit: needs ")
    assert "data.micro_batch=" in last
    assert "compiling the training step for 1 x cpu" in done.stderr
    wrong = run("cmr_jax.train", "--config=configs/smoke.py", "--topology=v5e:2x2", check=False)
    assert wrong.returncode == 2
    assert "--topology is for --dry_run" in wrong.stderr
