"""What a checkpoint is made of, and whether a run that goes on from it is still the same run."""

import functools
import hashlib
import importlib.metadata
import pathlib
import re
from typing import Any, NamedTuple

import cmr_jax
from cmr_jax import config

PACKAGES = (
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "orbax-checkpoint",
    "grain",
    "numpy",
    "opencv-python-headless",
    "sentencepiece",
    "tokenizers",
)
# What changes no number, or none beyond rounding: where a run computes, how often it looks, and
# where its data lies (which exams they are, the data's own fingerprint says).
FREE = re.compile(
    r"mesh\..*|run\.(?!seed|skip_nonfinite).*|contrast\.(form|chunk)|model\.(remat|attention|unroll)"
    r"|data\.(path|paths|groups|vocabulary|workers|threads|micro_batch|broken_share)"
)


class Provenance(NamedTuple):
    """What made a checkpoint: the config, the program, the data."""

    options: dict[str, Any]  # of the config
    code: dict[str, str]
    data: dict[str, str]  # fingerprints: of each site's training exams in order, and of other files

    @classmethod
    def of(cls, cfg: config.Experiment, data: dict[str, str]) -> "Provenance":
        """Of a run that starts now."""
        return cls(config.to_json(cfg), code(), data)

    def changes(self, now: "Provenance") -> list[str]:
        """How `now` is another run than this, one phrase each."""
        before, after = flat(self.options), flat(now.options)
        # An option that one of the two versions does not have stood at its default there.
        default = flat(config.to_json(config.Experiment()))
        found = []
        for name in sorted(before.keys() | after.keys()):
            old, new = (x.get(name, default.get(name)) for x in (before, after))
            if old != new and not FREE.fullmatch(name):
                found.append(f"{name} was {old}, is {new}")
        if list(self.data.values()) != list(now.data.values()):
            found.append(f"the data was {_told(self.data)}, is {_told(now.data)}")
        return found

    def code_changes(self, now: "Provenance") -> list[str]:
        """Which versions of programs differ, one phrase each."""
        names = sorted(self.code.keys() | now.code.keys())
        pairs = ((name, self.code.get(name), now.code.get(name)) for name in names)
        return [f"{name} was {old}, is {new}" for name, old, new in pairs if old != new]


def flat(plain: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Values by dotted path."""
    found: dict[str, Any] = {}
    for name, value in plain.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def _told(data: dict[str, str]) -> str:
    return ", ".join(f"{name} ({mark})" for name, mark in data.items()) or "nothing"


@functools.cache
def code() -> dict[str, str]:
    """Versions of the packages that make the numbers, and a hash of this one's own text."""
    root, digest = pathlib.Path(cmr_jax.__file__).parent, hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    versions = {name: _version(name) for name in PACKAGES}
    return {"cmr_jax": f"{cmr_jax.__version__} {digest.hexdigest()[:12]}", **versions}


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:  # an extra that is not there
        return "none"
