"""How good, how sure, for whom, and where it fails: the answers that a reader came for."""

import math
from typing import Any

from cmr_jax.evals.page.markup import name, number, span, text

WORST = 3
COLOURS = {"good": "#2f7d4f", "doubt": "#b7791f", "bad": "#b3202c"}


def summary(blocks: dict[str, dict[str, Any]]) -> str:
    """A row for each question, a column for each data set; then what the numbers say."""
    head = "".join(
        f"<th>{text(data)}<br><span class='note'>{b['n_exams']} exams of {b['n_patients']} patients"
        f"</span></th>"
        for data, b in blocks.items()
    )
    rows = "".join(
        f"<tr><th>{question}</th>"
        + "".join(f"<td>{'<br>'.join(map(text, answer(b)))}</td>" for b in blocks.values())
        + "</tr>"
        for question, answer in (
            ("How good?", _good),
            ("How sure?", _sure),
            ("For whom?", _whom),
            ("Where does it fail?", _fails),
        )
    )
    said = "".join(
        f"<li style='--dot:{COLOURS[s['level']]}'><b>{text(data)}</b>: {text(s['text'])}</li>"
        for data, b in blocks.items()
        for s in b["verdict"]
    )
    return (
        f"<div class='wide'><table class='summary'><tr><th></th>{head}</tr>{rows}</table></div>"
        f"<ul class='verdict'>{said}</ul>"
    )


def _good(block: dict[str, Any]) -> list[str]:
    lines = []
    if mean := block["zero_shot"].get("mean_auc"):
        count = len(block["zero_shot"]["findings"])
        lines.append(f"Words alone rank {count} findings: AUC {mean['value']:.2f}, chance 0.5.")
    if learned := block.get("supervised", {}).get("logistic", {}).get("mean_auc"):
        told = len(block["supervised"]["logistic"]["findings"])
        lines.append(
            f"With labels, on the same embeddings: AUC {learned['value']:.2f} of {told} findings."
        )
    if found := block.get("retrieval"):
        r = found["report_to_exam"]["R@10"]
        lines.append(
            f"A report finds its exam among the first ten in {r['value']:.0%}, chance "
            f"{r['chance']:.0%}."
        )
    if ef := block.get("measurements", {}).get("lv_ef_percent"):
        lines.append(f"Ejection fraction within {ef['mae']['value']:.1f} points on average.")
    return lines or ["There are no labels and no reports to tell."]


def _sure(block: dict[str, Any]) -> list[str]:
    lines = []
    if mean := block["zero_shot"].get("mean_auc"):
        lines.append(f"The AUC lies from {span(mean, '.2f')} (95 %).")
    findings = [f for f in block["zero_shot"]["findings"].values() if "abstention" in f]
    if findings:
        holds, decided = (
            sum(f["abstention"][key]["value"] for f in findings) / len(findings)
            for key in ("coverage", "decided")
        )
        error, luck = (
            sum(f["probability"]["ece"][key] for f in findings) / len(findings)
            for key in ("value", "by_luck")
        )
        level = findings[0]["abstention"]["level"]
        lines += [
            f"Probabilities are off by {error:.0%} on average; {luck:.0%} would be luck.",
            f"Answers hold the truth in {holds:.0%} (promised: {level:.0%}), and are given in "
            f"{decided:.0%} of cases.",
        ]
    else:
        lines.append(
            "Nothing was calibrated: that takes labels of another split, five patients of each kind."
        )
    return lines


def _whom(block: dict[str, Any]) -> list[str]:
    lines = []
    for attribute, b in block.get("subgroups", {}).items():
        worst = b["groups"][b["worst"]]["value"]
        luck = (
            f"luck alone: {number(b['gap_by_luck'], '.2f')}"
            if b["p"] < 0.05
            else "luck alone may do that"
        )
        luck = luck if math.isfinite(b["p"]) else "luck cannot be told"
        lines.append(
            f"{name(attribute)}: least for {b['worst']} ({worst:.2f}), {b['gap']:.2f} below the "
            f"best; {luck}."
        )
    if shift := block.get("shift"):
        lines.append(
            f"{shift['unusual']['value']:.0%} of exams are unlike the training exams of home."
        )
    absent = [k for k, v in block["share_with"].items() if v < 0.5]
    if absent:
        lines.append(f"Most exams have no {', no '.join(absent)}.")
    return lines or ["Groups are too small to compare."]


def _fails(block: dict[str, Any]) -> list[str]:
    lines = []
    findings = block["zero_shot"]["findings"]
    worst = sorted(findings, key=lambda f: findings[f]["auc"]["value"])[:WORST]
    if worst:
        told = ", ".join(f"{name(f)} {findings[f]['auc']['value']:.2f}" for f in worst)
        lines.append(f"Hardest findings: {told}.")
    falls = {
        kind: b["mean_auc"]["value"]
        for kind, b in block.get("without", {}).items()
        if "mean_auc" in b and math.isfinite(b["mean_auc"]["value"])
    }
    if falls:
        kind = max(falls, key=falls.__getitem__)
        lines.append(f"Without {kind} it loses {number(falls[kind], '.2f')} of AUC.")
    if left := block["zero_shot"]["left_out"]:
        lines.append(f"Too rare to tell: {', '.join(map(name, left))}.")
    if exams := block.get("exams_without_labels"):
        lines.append(f"{exams} exams have no labels.")
    return lines
