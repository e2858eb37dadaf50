"""What a run would cost before it starts, and whether it fits: see `describe`."""

from cmr_jax.planner.compilation import devices_of
from cmr_jax.planner.flops import forward_flops, training_flops
from cmr_jax.planner.report import Plan, describe

__all__ = ["Plan", "describe", "devices_of", "forward_flops", "training_flops"]
