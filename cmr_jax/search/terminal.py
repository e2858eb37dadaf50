"""What was found, for people at a terminal and for programs."""

import json
import shutil
import textwrap
from typing import Any

from cmr_jax.search.query import Hit
from cmr_jax.search.rows import Filled
from cmr_jax.wording.findings import Said

STRONGEST = 2  # kinds of picture that are named
LEAST_TEXT, MOST_LINES = 40, 4  # of an impression
INDENT = "     "


def table(hits: list[Hit], understood: Said, by_likeness: list[str], nobody_has: list[str]) -> str:
    """What was understood; some lines an exam: how near, how rare that is, who; what carried it, and the
    impression."""
    width = max(shutil.get_terminal_size().columns, LEAST_TEXT)
    wrapped = textwrap.TextWrapper(
        width,
        initial_indent=INDENT,
        subsequent_indent=INDENT,
        max_lines=MOST_LINES,
        placeholder=" ...",
    )
    lines = _heading(hits, understood, by_likeness)
    for place, hit in enumerate(hits, 1):
        facts = hit.facts
        age = "" if facts["age"] is None else f"{facts['age']:.0f}s"
        who = ", ".join(str(x) for x in (facts["sex"], age, facts["vendor"], facts["site"]) if x)
        likely = "" if hit.probability is None else f"likely {hit.probability:.2f}  "
        near = f"score {hit.score:.3f}  above {hit.percentile:.1f} %"
        lines.append(f"{place:3}  {hit.exam_id}  {likely}{near}  {who}")
        lines.append(f"{INDENT}by {_strongest(hit)}")
        if hit.slices:
            lines.append(INDENT + ", ".join(map(_slice, hit.slices)))
        lines += wrapped.wrap(facts["impression"])
    if not hits:
        lines += [f"{one}." for one in nobody_has] or ["no exam is like that: loosen the filters."]
    return "\n".join(lines)


def _heading(hits: list[Hit], understood: Said, by_likeness: list[str]) -> list[str]:
    """How the words were read, and how to read what follows."""
    names = [
        ("" if there else "no ") + name.replace("_", " ") for name, there in understood.items()
    ]
    lines = [f"understood: {', '.join(names)}"] if names else []
    lines += [f"by likeness to the words alone: {'; '.join(by_likeness)}"] if by_likeness else []
    likely = [hit.probability for hit in hits if hit.probability is not None]
    if likely and max(likely) < 0.5:
        lines.append("no exam is more likely than not to have all that was understood")
    if any(hit.slices for hit in hits):
        lines.append("slices: how much lower the score is without each")
    return lines


def filled(found: Filled) -> str:
    """What became of the exams of a split."""
    told = [f"{found.added} exams added"]
    told += [f"{found.moved} found in a new place"] if found.moved else []
    told += [f"{found.broken} cannot be read, and are named above"] if found.broken else []
    return ", ".join(told)


def as_json(hits: list[Hit], **explained: Any) -> str:
    """All that is known of each, and how the words were read."""
    return json.dumps(explained | {"hits": [hit.to_json() for hit in hits]}, indent=1)


def _slice(told: dict[str, Any]) -> str:
    """A slice, and what of the score goes with it."""
    which = f" {told['slice']} of {told['slices']}" if told["slices"] > 1 else ""
    return f"{told['view']} {told['sequence']}{which} -{told['lost']:.3f}"


def _strongest(hit: Hit) -> str:
    best = sorted(hit.carried.items(), key=lambda item: -item[1])[:STRONGEST]
    return ", ".join(f"{name.replace('_', ' ')} {score:.3f}" for name, score in best) or "nothing"
