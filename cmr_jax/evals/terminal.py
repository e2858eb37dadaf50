"""An evaluation's main numbers for a terminal."""

from typing import Any

from cmr_jax.evals.page.markup import value
from cmr_jax.evals.page.trusted import DIFFERENCES


def table(name: str, block: dict[str, Any]) -> str:
    """One data set."""
    lines = [f"{name}: {block['n_exams']} exams of {block['n_patients']} patients"]
    for way, measures in block.get("retrieval", {}).items():
        for measure, m in measures.items():
            lines.append(f"  {way:16} {measure:6} {value(m)}  chance {m['chance']:.3g}")
    zero_shot = block.get("zero_shot", {})
    for finding, f in zero_shot.get("findings", {}).items():
        lines.append(f"  {finding:23} AUC {value(f['auc'])}  {f['n_positive']} positive")
    if "mean_auc" in zero_shot:
        lines.append(f"  {'mean of all':23} AUC {value(zero_shot['mean_auc'])}")
    for finding, f in block.get("supervised", {}).get("head", {}).get("findings", {}).items():
        lines.append(f"  {finding:23} AUC {value(f['auc'])}  by the model's head")
    for control, c in block.get("controls", {}).items():
        what = f"  control {control.replace('_', ' '):32}"
        if "mean_auc" in c:
            lines.append(f"{what} mean AUC {value(c['mean_auc'])}")
        lines += [f"{what} {told} {value(c[key])}" for key, told in DIFFERENCES.items() if key in c]
    lines += [f"  {s['level'].upper():5} {s['text']}" for s in block.get("verdict", [])]
    return "\n".join(lines)
