"""A measuring model in a folder: `measure.json` and `model.safetensors`."""

import json
import pathlib
from typing import NamedTuple

import ml_dtypes
import numpy as np
import safetensors.numpy

from cmr_jax.segmentation.networks import Architecture
from cmr_jax.segmentation.predict import EVEN, Network, Predictor
from cmr_jax.weights import flatten, nest, tensors

ABOUT_FILE, ARRAYS_FILE = "measure.json", "model.safetensors"
SHIPPED = pathlib.Path(__file__).parent / "shipped"
VERSION = 1


class MeasuringModel(NamedTuple):
    """Networks that measure together, and what is known about their errors.

    `calibration`: for each number the offset and the factor of its 95 % interval.
    """

    networks: list[Network]
    calibration: dict[str, tuple[float, float]]
    about: dict
    odds: tuple[float, ...] = EVEN  # by which each mask is weighed

    def predictor(self) -> Predictor:
        """Make what predicts with the networks."""
        return Predictor(self.networks, odds=self.odds)


def save(folder: pathlib.Path, model: MeasuringModel) -> None:
    """Writes a folder that `load` reads back; parameters as bfloat16."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {
        f"{number}/{name}": np.ascontiguousarray(value.astype(ml_dtypes.bfloat16))
        for number, network in enumerate(model.networks)
        for name, value in flatten(network.params).items()
    }
    (folder / ARRAYS_FILE).write_bytes(safetensors.numpy.save(arrays))
    first = model.networks[0]
    plain = {
        "version": VERSION,
        "networks": len(model.networks),
        "architecture": first.architecture.value,
        "widths": list(first.widths),
        "size": first.size,
        "spacing_mm": first.spacing_mm,
        "odds": list(model.odds),
        "calibration": {k: list(v) for k, v in model.calibration.items()},
        "about": model.about,
    }
    (folder / ABOUT_FILE).write_text(json.dumps(plain, indent=1) + "\n")


def load(path: str | pathlib.Path | None) -> MeasuringModel:
    """A model from its folder; without one, the model that comes with the package.

    A ValueError says what is missing or does not fit.
    """
    folder = pathlib.Path(path) if path else SHIPPED
    if not (folder / ABOUT_FILE).is_file():
        raise ValueError(
            f"--weights {folder}: no {ABOUT_FILE}. Give a folder that `cmr_jax.measure train` wrote."
        )
    plain = tensors.read_json(folder / ABOUT_FILE)
    arrays = tensors.read(folder / ARRAYS_FILE)
    try:
        if plain["version"] != VERSION:
            raise ValueError(f"version {plain['version']} is not known to this program")
        architecture = Architecture(plain.get("architecture", Architecture.UNET.value))
        widths = tuple(int(w) for w in plain["widths"])
        size, spacing = int(plain["size"]), float(plain["spacing_mm"])
        odds = tuple(float(o) for o in plain.get("odds", EVEN))
        if len(odds) != len(EVEN) or not all(0 < o < np.inf for o in odds):
            raise ValueError(f"odds {odds}")
        if not 0 < spacing < np.inf or not isinstance(plain.get("about", {}), dict):
            raise ValueError(f"spacing {spacing} mm, about {plain.get('about')}")
        if (count := int(plain["networks"])) < 1:
            raise ValueError("no networks")
        calibration = {k: (float(a), float(b)) for k, (a, b) in plain["calibration"].items()}
        if not np.isfinite(list(calibration.values())).all():
            raise ValueError("its calibration is not finite")
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise ValueError(
            f"{folder / ABOUT_FILE} does not describe a measuring model: {error}"
        ) from None
    networks = []
    for number in range(count):
        prefix = f"{number}/"
        flat = {
            name.removeprefix(prefix): value.astype(np.float32)
            for name, value in arrays.items()
            if name.startswith(prefix)
        }
        if not flat:
            raise ValueError(f"{folder / ARRAYS_FILE} holds no network {number}.")
        networks.append(Network(nest(flat), widths, size, spacing, architecture))
    return MeasuringModel(networks, calibration, plain.get("about", {}), odds)
