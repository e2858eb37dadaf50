"""Experiments as JSON and back; an unknown key is an error."""

import dataclasses
import enum
import json
from typing import Any

from cmr_jax.config.options import Experiment


def to_json(config: Experiment) -> dict[str, Any]:
    """Plain values; enums by value."""
    return json.loads(json.dumps(dataclasses.asdict(config), default=lambda e: e.value))


def from_json(plain: dict[str, Any]) -> Experiment:
    """The inverse of `to_json`; an unknown key is an error."""
    return _build(Experiment, plain, "")


def _build(kind: type, plain: dict[str, Any], where: str) -> Any:
    fields = {field.name: field for field in dataclasses.fields(kind)}
    if unknown := set(plain) - set(fields):
        raise ValueError(
            f"the stored config has unknown keys {sorted(unknown)} in {where or 'its root'}"
        )
    values = {}
    for name, value in plain.items():
        kind_of = fields[name].type
        if dataclasses.is_dataclass(kind_of) and isinstance(kind_of, type):
            values[name] = _build(kind_of, value, f"{where}{name}.")
        elif isinstance(kind_of, type) and issubclass(kind_of, enum.Enum):
            values[name] = kind_of(value)
        else:
            values[name] = tuple(value) if isinstance(value, list) else value
    return kind(**values)
