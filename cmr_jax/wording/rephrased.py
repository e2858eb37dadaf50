"""The same said otherwise: sentences for what a sentence says, from `phrases.toml`."""

import functools
import pathlib
import re
import tomllib

import numpy as np

from cmr_jax.wording.findings import Said

FILE = pathlib.Path(__file__).parent / "phrases.toml"
THERE, ABSENT = "there", "absent"
# Statements implied by another: the scar of an infarct enhances.
IMPLIED = {
    ("infarct", True): (("lge", True),),
    ("nonischemic_lge", True): (("lge", True),),
    ("amyloidosis", True): (("lge", True),),
    ("hcm", True): (("lv_hypertrophy", True),),
    ("lge", False): (("infarct", False), ("nonischemic_lge", False)),
}


def said_otherwise(what: Said, rng: np.random.Generator) -> str:
    """A sentence for each thing that is said, but for what goes without saying; in any order."""
    things = list(without_implied(what).items())
    order = (things[i] for i in rng.permutation(len(things)))
    return " ".join(_sentence(finding, there, rng) for finding, there in order)


def without_implied(what: Said) -> Said:
    """Leave out statements that the others imply."""
    implied = {x for thing in what.items() for x in IMPLIED.get(thing, ())}
    return dict(thing for thing in what.items() if thing not in implied)


def _sentence(finding: str, there: bool, rng: np.random.Generator) -> str:
    some = phrases()[finding][THERE if there else ABSENT]
    text = chosen(some[rng.integers(len(some))], rng)
    return f"{text[0].upper()}{text[1:]}."


def chosen(template: str, rng: np.random.Generator) -> str:
    """One way through the choices [a|b|] of a template."""

    def pick(group: re.Match) -> str:
        options = group[1].split("|")
        return options[rng.integers(len(options))]

    return " ".join(re.sub(r"\[([^\[\]]*)\]", pick, template).split()).replace(" ,", ",")


@functools.cache
def phrases() -> dict[str, dict[str, list[str]]]:
    """Templates by finding and by what they say of it."""
    return tomllib.loads(FILE.read_text())
