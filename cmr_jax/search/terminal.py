"""What was found, for people at a terminal and for programs."""

import json
import shutil
import textwrap
from typing import Any

from cmr_jax.search.query import Hit
from cmr_jax.search.rows import Filled

STRONGEST = 2  # kinds of picture that are named
LEAST_TEXT = 40


def table(hits: list[Hit]) -> str:
    """Some lines an exam: how near, how rare that is, who; what carried it, and the impression."""
    width = max(shutil.get_terminal_size().columns - 8, LEAST_TEXT)
    lines = []
    for place, hit in enumerate(hits, 1):
        facts = hit.facts
        age = "" if facts["age"] is None else f"{facts['age']:.0f}s"
        who = ", ".join(str(x) for x in (facts["sex"], age, facts["vendor"], facts["site"]) if x)
        lines.append(
            f"{place:3}  {hit.exam_id}  score {hit.score:.3f}  above {hit.percentile:.1f} %  {who}"
        )
        lines.append(f"     by {_strongest(hit)}")
        if hit.slices:
            lines.append("     " + ", ".join(map(_slice, hit.slices)))
        lines.append("     " + textwrap.shorten(facts["impression"], width, placeholder=" ..."))
    return "\n".join(lines) if lines else "no exam is like that: loosen the filters."


def filled(found: Filled) -> str:
    """What became of the exams of a split."""
    told = [f"{found.added} exams added"]
    told += [f"{found.moved} found in a new place"] if found.moved else []
    told += [f"{found.broken} cannot be read, and are named above"] if found.broken else []
    return ", ".join(told)


def as_json(hits: list[Hit]) -> str:
    """All that is known of each."""
    return json.dumps([hit.to_json() for hit in hits], indent=1)


def _slice(told: dict[str, Any]) -> str:
    """A slice, and what of the score goes with it."""
    where = f"{told['view']} {told['sequence']} at {told['slice_mm']:.0f} mm"
    return f"{where} -{told['lost']:.3f}"


def _strongest(hit: Hit) -> str:
    best = sorted(hit.carried.items(), key=lambda item: -item[1])[:STRONGEST]
    return ", ".join(f"{name.replace('_', ' ')} {score:.3f}" for name, score in best) or "nothing"
