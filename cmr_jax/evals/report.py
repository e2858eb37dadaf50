"""The page of an evaluation: one file, nothing loaded from elsewhere, every foreign text escaped."""

import html
import math
import string
from typing import Any, NamedTuple

# Differences of mean AUC on the same patients, as controls report them.
DIFFERENCES = {
    "behind_model": "AUC below the model's prompts",
    "behind_embedding_probe": "AUC below the model's embeddings, same labels",
    "motion_auc_drop": "AUC lost on findings of motion",
}


class Found(NamedTuple):
    """One exam that a query found: how near, what its report says, a moving picture."""

    exam_id: str
    score: float
    impression: str
    picture: str | None


class Section(NamedTuple):
    """One data set's part of the page."""

    name: str
    block: dict[str, Any]
    plots: list[str]
    queries: dict[str, list[Found]]


PAGE = string.Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>cmr_jax evaluation</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; color: #1b2733; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { margin-top: 2.5rem; border-bottom: 1px solid #d6dde3 } h3 { margin-top: 1.8rem }
table { border-collapse: collapse; margin: 1rem 0 } th, td { padding: .25rem .8rem; text-align: right }
th:first-child, td:first-child { text-align: left } tr:nth-child(even) { background: #f3f6f8 }
.big { font-size: 1.15rem } .note { color: #55636f } img { max-width: 100% }
.found { display: grid; grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)); gap: 1rem }
.found figure { margin: 0; background: #f3f6f8; border-radius: 6px; overflow: hidden }
.found img { width: 100%; background: #000; display: block }
figcaption { padding: .5rem .7rem; font-size: .85rem; white-space: pre-wrap; overflow-wrap: anywhere }
</style></head><body>
<h1>What this model is worth</h1>
<p class="note">$meta</p>
$sections
<p class="note">Research software. Not a medical device.</p>
</body></html>
""")


def page(meta: dict[str, Any], sections: list[Section]) -> str:
    """The whole page."""
    facts = ", ".join(f"{k} {v}" for k, v in meta.items() if isinstance(v, str | int | float))
    return PAGE.substitute(meta=_e(facts), sections="\n".join(_section(s) for s in sections))


def table(name: str, block: dict[str, Any]) -> str:
    """The same numbers for a terminal."""
    lines = [f"{name}: {block['n_exams']} exams of {block['n_patients']} patients"]
    for way, measures in block.get("retrieval", {}).items():
        for measure, m in measures.items():
            lines.append(f"  {way:16} {measure:6} {_value(m)}  chance {m['chance']:.3g}")
    zero_shot = block.get("zero_shot", {})
    for finding, f in zero_shot.get("findings", {}).items():
        lines.append(f"  {finding:23} AUC {_value(f['auc'])}  {f['n_positive']} positive")
    if "mean_auc" in zero_shot:
        lines.append(f"  {'mean of all':23} AUC {_value(zero_shot['mean_auc'])}")
    for control, c in block.get("controls", {}).items():
        if "mean_auc" in c:
            lines.append(
                f"  control {control.replace('_', ' '):32} mean AUC {_value(c['mean_auc'])}"
            )
        lines += [
            f"  control {control.replace('_', ' '):32} {what} {_value(c[key])}"
            for key, what in DIFFERENCES.items()
            if key in c
        ]
    return "\n".join(lines)


def _section(s: Section) -> str:
    parts = [
        f"<h2>{_e(s.name)}</h2>",
        _headline(s.block),
        *(f'<p><img alt="plot" src="{p}"></p>' for p in s.plots),
    ]
    parts += [
        _retrieval_table(s.block.get("retrieval", {})),
        *(
            _retrieval_table(block, f"what has the {name.replace('_', ' ')}")
            for name, block in s.block.get("retrieval_of_alike", {}).items()
        ),
        _findings_table(s.block),
        _controls(s.block.get("controls", {})),
        *(_protocol(name, p) for name, p in s.block.get("protocols", {}).items()),
    ]
    for query, found in s.queries.items():
        parts.append(
            f"<h3>Nearest to “{_e(query)}”</h3><div class='found'>{''.join(map(_figure, found))}</div>"
        )
    return "\n".join(parts)


def _headline(block: dict[str, Any]) -> str:
    text = f"{block['n_exams']} exams."
    if "retrieval" in block:
        r10 = block["retrieval"]["report_to_exam"]["R@10"]
        text = (
            f"A report finds its exam among the first 10 of {block['n_exams']} in <b>{r10['value']:.0%}</b> of "
            f"cases ({_span(r10, '.0%')}; chance {r10['chance']:.1%})."
        )
    if mean := block.get("zero_shot", {}).get("mean_auc"):
        count = len(block["zero_shot"]["findings"])
        text += (
            f" Prompts alone rank {count} findings with a mean AUC of <b>{mean['value']:.2f}</b> "
            f"({_span(mean, '.2f')}; chance 0.5)."
        )
    return f'<p class="big">{text}</p><p class="note">{block["n_patients"]} patients; splits share no patient.</p>'


def _retrieval_table(retrieval: dict[str, Any], right: str = "its own") -> str:
    """A row for each measure, both ways beside each other: chance is the same either way."""
    if not retrieval:
        return ""
    there, back = retrieval["report_to_exam"], retrieval["exam_to_report"]
    rows = [[m, _value(there[m]), _value(back[m]), f"{there[m]['chance']:.3g}"] for m in there]
    return _html_table(
        [f"right is {right}", "report to exam (95 %)", "exam to report", "chance"], rows
    )


def _findings_table(block: dict[str, Any]) -> str:
    zero_shot = block.get("zero_shot", {})
    rows = [
        [name.replace("_", " "), _value(f["auc"]), _value(f["auprc"]), str(f["n_positive"])]
        for name, f in zero_shot.get("findings", {}).items()
    ]
    head = ["finding, zero-shot", "AUC (95 %)", "average precision (95 %)", "positive"]
    return _html_table(head, rows) if rows else ""


def _controls(controls: dict[str, Any]) -> str:
    rows = []
    for name, c in controls.items():
        numbers = [_value(c[key]) if key in c else "" for key in ("mean_auc", *DIFFERENCES)]
        rows.append([c.get("what", name), *numbers])
    head = ["control", "mean AUC (95 %)", *DIFFERENCES.values()]
    return _html_table(head, rows) if rows else ""


def _protocol(name: str, block: dict[str, Any]) -> str:
    """The paper's table of findings: zero-shot at a threshold, few-shot, probe."""
    shots = sorted({k for f in block["few_shot"].values() for k in f}, key=int)
    rows = []
    for finding, supervised in block["supervised"].items():
        asked = block["zero_shot"].get(finding)
        few = block["few_shot"][finding]
        rows.append(
            [
                finding.replace("_", " "),
                f"{asked['auc']:.3f}" if asked else "",
                f"{asked['sensitivity']:.2f} / {asked['specificity']:.2f}" if asked else "",
                *(f"{few[k]['auc']['mean']:.3f}" if k in few else "" for k in shots),
                f"{supervised['auc']:.3f}",
            ]
        )
    head = [f"{name} protocol", "prompts", "sens / spec", *(f"{k}-shot" for k in shots), "probe"]
    return _html_table(head, rows) if rows else ""


def _html_table(head: list[str], rows: list[list[str]]) -> str:
    def line(tag: str, cells: list[str]) -> str:
        return "<tr>" + "".join(f"<{tag}>{_e(c)}</{tag}>" for c in cells) + "</tr>"

    return f"<table>{line('th', head)}{''.join(line('td', row) for row in rows)}</table>"


def _figure(found: Found) -> str:
    picture = f'<img alt="moving heart" src="{found.picture}">' if found.picture else ""
    caption = f"{found.exam_id}  {found.score:+.2f}\n{found.impression}"
    return f"<figure>{picture}<figcaption>{_e(caption)}</figcaption></figure>"


def _value(m: dict[str, float]) -> str:
    return f"{m['value']:.3g} ({_span(m, '.3g')})"


def _span(m: dict[str, float], shape: str) -> str:
    """An interval in words: there is none where resamples cannot tell."""
    if not math.isfinite(m["low"]):
        return "no interval"
    return f"{m['low']:{shape}} to {m['high']:{shape}}"


def _e(text: str) -> str:
    """Foreign text as text: markup escaped, control characters gone."""
    return html.escape("".join(c for c in text if c.isprintable() or c == "\n"))
