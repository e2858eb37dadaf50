"""A model card (Mitchell 2019, arXiv:1810.03993) of what was measured, and of what was not."""

from typing import Any

from cmr_jax.evals.page.markup import name, number, value

WHAT = """# Model card

A dual encoder of cardiac MRI exams and the impressions of their reports, evaluated by
`cmr_jax.evaluate`. Every number below was measured in that run; 95 % intervals are over patients.

**Not a medical device.** Nothing here says that it is safe or useful to decide about a patient by.

## Intended use

Research: to search and to sort exams, to propose findings to a reader who sees the exam, to start
other models from. By people who can check its answers against the exam.

## Not intended

Diagnosis, triage, or any use in care. Exams of a kind that is not below: other scanners, other
protocols, children, congenital disease, after surgery, unless an evaluation on such exams says how
it does there. Findings that are not below.
"""


def card(results: dict[str, Any]) -> str:
    """Markdown."""
    parts = [WHAT, "## Evaluated on\n"]
    parts += [_data(data, block) for data, block in results["data"].items()]
    for data, block in results["data"].items():
        parts += [f"## Measured: {data}\n", _measured(block)]
    parts += ["## Limits\n", *(_limits(*item) for item in results["data"].items())]
    meta = results["meta"]
    parts.append(
        f"## How\n\n{meta['program']}, prompts `{meta['prompts']}`, seed {meta['seed']}, "
        f"{meta['bootstrap_draws']} bootstrap draws; intervals: {meta['interval']}.\n"
    )
    return "\n".join(parts)


def _data(data: str, block: dict[str, Any]) -> str:
    there = ", ".join(f"{k} {v:.0%}" for k, v in block["share_with"].items())
    groups = "; ".join(
        f"{name(attribute)}: "
        + ", ".join(f"{_cell(g) or 'not known'} {n}" for g, n in found.items())
        for attribute, found in block["exams_by"].items()
    )
    learned = block.get("learned_from")
    lines = [
        f"- **{_cell(data)}**, split {block['split']}: {block['n_exams']} exams of "
        f"{block['n_patients']} patients, {block['n_reports']} with a report. They have: {there}."
    ]
    if groups:
        lines.append(f"  Exams by group: {groups}.")
    if learned:
        lines.append(
            f"  Probes learned from split {learned['split']} of {_cell(learned['data'])}, "
            f"{learned['n_exams']} exams."
        )
    return "\n".join(lines) + "\n"


def _measured(block: dict[str, Any]) -> str:
    lines = []
    for way, found in block.get("retrieval", {}).items():
        r = found["R@10"]
        lines.append(
            f"- {name(way)}, recall at 10: {value(r, '.2f')}, chance {number(r['chance'], '.2f')}"
        )
    if findings := block["zero_shot"]["findings"]:
        lines += [
            "",
            "| finding | AUC from words | AUC with labels | sensitivity | specificity |",
            "| --- | --- | --- | --- | --- |",
        ]
        learned = block.get("supervised", {}).get("logistic", {}).get("findings", {})
        for finding, b in findings.items():
            at = b.get("operating", {})
            cells = [
                _cell(name(finding)),
                value(b["auc"], ".2f"),
                value(learned.get(finding, {}).get("auc"), ".2f"),
                value(at.get("sensitivity"), ".2f"),
                value(at.get("specificity"), ".2f"),
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _limits(data: str, block: dict[str, Any]) -> str:
    lines = [f"- {_cell(data)}: {s['text']}" for s in block["verdict"] if s["level"] != "good"]
    if left := block["zero_shot"]["left_out"]:
        lines.append(f"- {_cell(data)}: too rare to tell: {', '.join(map(_cell, left))}.")
    for attribute, b in block.get("subgroups", {}).items():
        lines.append(
            f"- {_cell(data)}: by {name(attribute)} least for {_cell(b['worst'])}, "
            f"{number(b['gap'], '.2f')} below the best (luck alone: {number(b['gap_by_luck'], '.2f')})."
        )
    return "\n".join(lines) + "\n"


def _cell(words: str) -> str:
    """Foreign text in Markdown: nothing that it could obey."""
    return "".join(c if c.isalnum() or c in " .,_+-()" else " " for c in words)
