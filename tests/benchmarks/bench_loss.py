"""What the loss costs as the batch grows: `python tests/benchmarks/bench_loss.py [EXAMS ...]`.

Forward and backward, embeddings of 512 numbers, one text each.  Both forms on the devices at hand;
ratios are of the ring against the gathered form.  Memory is what the compiler planned, per device.
`JAX_NUM_CPU_DEVICES=8 ... --plan 32768` only plans, and times nothing.
"""

import sys

import jax
import jax.numpy as jnp
import timing

from cmr_jax.config import Contrast, Form, Loss, Mesh
from cmr_jax.losses import contrastive
from cmr_jax.sharding import batch_sharding, make_mesh
from cmr_jax.types import Embeddings, Pairing

WIDTH = 512


def main(arguments: list[str]) -> None:
    """Every batch size and form."""
    plan = "--plan" in arguments
    small = jax.default_backend() == "cpu" and not plan
    sizes = [int(a) for a in arguments if a.isdigit()]
    for exams in sizes or ([1024, 2048, 4096] if small else [16_384, 32_768, 65_536]):
        for loss in Loss:
            found = {}
            for form in (Form.GATHERED, Form.RING):
                try:
                    found[form] = measure(loss, form, exams, plan)
                except jax.errors.JaxRuntimeError as error:  # the gathered form may not fit
                    why = " ".join(str(error).split())[:100]
                    timing.line("loss", loss=loss.value, form=form.value, exams=exams, failed=why)
            for form, (time, memory) in found.items():
                base = found.get(Form.GATHERED)
                timing.line(
                    "loss",
                    loss=loss.value,
                    form=form.value,
                    exams=exams,
                    ms=1000 * time if time else None,
                    mb_per_device=memory / 1e6,
                    time_by_gathered=time / base[0] if base and time else None,
                    memory_by_gathered=memory / base[1] if base else None,
                )


def measure(loss: Loss, form: Form, exams: int, plan: bool):
    """Seconds (None if only planned) and bytes per device."""
    mesh = make_mesh(Mesh())
    place = batch_sharding(mesh)

    def pull(video, text, group):
        given = Embeddings(video, text, jnp.float32(20), jnp.float32(-10))
        return contrastive(loss, given, Pairing(group), Contrast(form=form), mesh)[0]

    def shape(*dims, dtype=jnp.float32):
        return jax.ShapeDtypeStruct(dims, dtype, sharding=place)

    shapes = shape(exams, WIDTH), shape(exams, 1, WIDTH), shape(exams, 1, dtype=jnp.int32)
    with jax.set_mesh(mesh):
        program = jax.jit(jax.grad(pull, (0, 1))).lower(*shapes).compile()
        needs = program.memory_analysis()
        memory = (
            needs.temp_size_in_bytes + needs.argument_size_in_bytes + needs.output_size_in_bytes
        )
        if plan:
            return None, memory
        keys = jax.random.split(jax.random.key(0), 2)
        video, text = (
            jax.device_put(jax.random.normal(key, s.shape), place)
            for key, s in zip(keys, shapes, strict=False)
        )
        group = jax.device_put(jnp.arange(exams, dtype=jnp.int32)[:, None], place)
        return timing.seconds(lambda: program(video, text, group), 3), memory


if __name__ == "__main__":
    main(sys.argv[1:])
