"""For whom, without what, by which pictures, beside which controls: the doubting half of the page."""

from typing import Any

from cmr_jax.evals.page import plots
from cmr_jax.evals.page.markup import name, note, number, picture, table, value

# Differences of mean AUC on the same patients, as controls report them.
DIFFERENCES = {
    "behind_model": "AUC below the model's prompts",
    "behind_embedding_probe": "AUC below the model's embeddings, same labels",
    "motion_auc_drop": "AUC lost on findings of motion",
}


def groups(block: dict[str, Any]) -> list[str]:
    """Every group, and how unusual the exams are."""
    groups = block.get("subgroups", {})
    rows = [
        [
            name(a),
            b["worst"],
            value(b["groups"][b["worst"]], ".2f"),
            number(b["gap"], ".2f"),
            number(b["gap_by_luck"], ".2f"),
            number(b["p"], ".2f"),
            str(len(b["findings"])),
        ]
        for a, b in groups.items()
    ]
    head = ["by", "least for", "mean AUC (95 %)", "gap", "gap by luck", "p", "findings"]
    parts = [picture(plots.groups(groups), "groups"), table(head, rows)] if groups else []
    if shift := block.get("shift"):
        told = f"Unlike the training exams of home: {value(shift['unusual'], '.0%')} of exams"
        if "auc_from_home" in shift:
            told += (
                f"; told from internal exams with an AUC of {value(shift['auc_from_home'], '.2f')}"
            )
        parts.append(note(told + "."))
    return parts


def without(block: dict[str, Any]) -> list[str]:
    """What falls with each kind of picture that is taken away."""
    without = block.get("without", {})
    rows = [
        [
            k,
            f"{b['n']} of {block['n_exams']}",
            value(b.get("mean_auc"), ".3f"),
            value(b.get("recall_at_10"), ".3f"),
        ]
        for k, b in without.items()
    ]
    falls = {k: b["findings"] for k, b in without.items() if "findings" in b}
    by_finding = {f: {k: b[f] for k, b in falls.items()} for f in next(iter(falls.values()), {})}
    parts = [table(["without", "lose it", "mean AUC lost (95 %)", "R@10 lost (95 %)"], rows)]
    if by_finding:
        parts.append(picture(plots.heat(by_finding, "AUC lost without"), "AUC lost"))
    return parts


def attribution(block: dict[str, Any]) -> list[str]:
    """Which kinds of pictures carry findings, and what deleting them costs."""
    found = block.get("attribution", {})
    if not found:
        return []
    rows = [
        [
            name(f),
            str(b["n"]),
            number(b["lost_without_leading"]),
            number(b["lost_at_random"]),
            value(b["more"]),
        ]
        for f, b in found.items()
    ]
    head = ["finding", "exams", "score lost: leading slices", "random slices", "more (95 %)"]
    shares = {f: b["by_kind"] for f, b in found.items()}
    return [
        picture(
            plots.heat(shares, "share of the score that each kind of picture carries"), "shares"
        ),
        table(head, rows),
        note("A third of the frames is deleted, in exams that have the finding and score highest."),
    ]


def controls(block: dict[str, Any]) -> list[str]:
    """Every control beside what it is compared with."""
    rows = [
        [
            c.get("what", key),
            value(c.get("mean_auc")),
            *(value(c.get(d)) for d in DIFFERENCES),
        ]
        for key, c in block.get("controls", {}).items()
    ]
    return [table(["control", "mean AUC (95 %)", *DIFFERENCES.values()], rows)]


def protocol(protocol: str, block: dict[str, Any]) -> str:
    """The paper's table of findings: zero-shot at a threshold, few-shot, probe."""
    shots = sorted({k for f in block["few_shot"].values() for k in f}, key=int)
    rows = []
    for finding, supervised in block["supervised"].items():
        asked = block["zero_shot"].get(finding)
        few = block["few_shot"][finding]
        rows.append(
            [
                name(finding),
                f"{asked['auc']:.3f}" if asked else "",
                f"{asked['sensitivity']:.2f} / {asked['specificity']:.2f}" if asked else "",
                *(f"{few[k]['auc']['mean']:.3f}" if k in few else "" for k in shots),
                f"{supervised['auc']:.3f}",
            ]
        )
    head = [
        f"{protocol} protocol",
        "prompts",
        "sens / spec",
        *(f"{k}-shot" for k in shots),
        "probe",
    ]
    return table(head, rows)
