"""What stands of one data set below the summary: every table and plot, in parts that fold."""

from typing import Any

from cmr_jax.evals.page import plots, trusted
from cmr_jax.evals.page.markup import name, note, number, part, picture, table, value
from cmr_jax.evals.study import Study


def good(study: Study) -> list[str]:
    """What comes first."""
    return [part("Findings from words alone", *_findings(study.block), opened=True)]


def more(study: Study) -> list[str]:
    """In the order in which questions come up."""
    b = study.block
    return [
        part("Retrieval", *_retrieval(b)),
        part("Yes, no, or no answer", *_answers(b)),
        part("With labels: a few exams, or all", *_learned(b)),
        part("Measurements", *_measurements(study)),
        part("Diseases told apart", *map(_classes, b.get("classes", {}).items())),
        part("For whom", *trusted.groups(b)),
        part("When pictures are missing", *trusted.without(b)),
        part("Which pictures carried a finding", *trusted.attribution(b)),
        part("Controls", *trusted.controls(b)),
        part(
            "The paper's protocol", *(trusted.protocol(*p) for p in b.get("protocols", {}).items())
        ),
    ]


def _findings(block: dict[str, Any]) -> list[str]:
    own = block["zero_shot"]["findings"]
    if not own:
        return [note("No finding has ten labelled exams with it and ten without it.")]
    rows = [
        [
            name(f),
            value(b["auc"], ".2f"),
            value(b["auprc"], ".2f"),
            f"{b['n_positive']} of {b['n_known']}",
            f"{b['wordings']['auc_worst']:.2f} to {b['wordings']['auc_best']:.2f}",
        ]
        for f, b in own.items()
    ]
    head = ["finding", "AUC (95 %)", "average precision (95 %)", "have it", "AUC by wording"]
    said = (
        "By wording: the AUC had there been only the worst, or only the best, of the sentences that "
        "ask for a finding. Choosing one by results would need labels."
    )
    return [picture(plots.findings(block), "AUC of every finding"), table(head, rows), note(said)]


def _retrieval(block: dict[str, Any]) -> list[str]:
    if "retrieval" not in block:
        return []
    parts = [picture(plots.recall(block["retrieval"]), "recall"), _ranks(block["retrieval"], "own")]
    for alike, found in block["retrieval_of_alike"].items():
        parts.append(_ranks(found, f"any with the {name(alike)}"))
    if alone := block.get("labels_alone"):
        parts.append(
            note(f"Who knew the labels and nothing else would reach R@10 {alone['R@10']:.0%}.")
        )
    return parts


def _ranks(retrieval: dict[str, Any], right: str) -> str:
    """A row for each measure, both ways beside each other: chance is the same either way."""
    there, back = retrieval["report_to_exam"], retrieval["exam_to_report"]
    rows = [[m, value(there[m]), value(back[m]), f"{there[m]['chance']:.3g}"] for m in there]
    head = [f"right is: {right}", "report to exam (95 %)", "exam to report", "chance"]
    return table(head, rows)


def _answers(block: dict[str, Any]) -> list[str]:
    own = {f: b for f, b in block["zero_shot"]["findings"].items() if "operating" in b}
    if not own:
        return []
    known = block["calibrated_on"]
    operating = [
        [name(f)]
        + [value(b["operating"][k], ".2f") for k in ("sensitivity", "specificity", "f1")]
        + [value(b["operating"][k], ".2f") for k in ("ppv", "npv")]
        + [
            number(b["operating"][k]["value"], ".2f")
            for k in ("ppv_at_prevalence", "npv_at_prevalence")
        ]
        for f, b in own.items()
    ]
    prevalence = next(iter(own.values()))["operating"]["prevalence"]
    sure = [
        [
            name(f),
            number(b["probability"]["ece"]["value"], ".2f"),
            number(b["probability"]["ece"]["by_luck"], ".2f"),
            number(
                b["probability"].get("before", {}).get("ece", {}).get("value", float("nan")), ".2f"
            ),
            number(b["probability"]["brier"]["value"], ".3f"),
            f"{b['probability']['brier']['chance']:.3f}",
            value(b["abstention"]["coverage_with"], ".2f"),
            value(b["abstention"]["coverage_without"], ".2f"),
            f"{b['abstention']['decided']['value']:.0%}",
            number(b["abstention"]["right_where_decided"]["value"], ".0%"),
            f"{b['abstention']['right_of_all']['value']:.0%}",
        ]
        for f, b in own.items()
    ]
    level = next(iter(own.values()))["abstention"]["level"]
    return [
        note(
            f"Thresholds, probabilities and abstention come from the labels of the "
            f"{known['n_exams']} exams of split {known['split']} of {known['data']}, never from these."
        ),
        table(
            ["finding", "sensitivity", "specificity", "F1", "PPV", "NPV"]
            + [f"{v} at {prevalence:.0%}" for v in ("PPV", "NPV")],
            operating,
        ),
        picture(plots.reliability(own), "reliability"),
        picture(plots.selective(own), "selective answers"),
        table(
            [
                "finding",
                "calibration error",
                "by luck",
                "before",
                "Brier score",
                "by prevalence alone",
                f"truth held, of those with it (promised {level:.0%})",
                "of those without",
                "answered",
                "right where answered",
                "right of all",
            ],
            sure,
        ),
    ]


def _learned(block: dict[str, Any]) -> list[str]:
    if not block.get("few_shot", {}).get("mean_auc"):
        return []
    few, own = block["few_shot"], block["zero_shot"]
    supervised = block["supervised"]
    shots = list(few["mean_auc"])
    rows = []
    for f, by_shots in few["findings"].items():
        rows.append(
            [
                name(f),
                number(own["findings"].get(f, {}).get("auc", {}).get("value", float("nan")), ".2f"),
            ]
            + [number(by_shots[k]["value"], ".2f") if k in by_shots else "" for k in shots]
            + [
                value(supervised[how]["findings"].get(f, {}).get("auc"), ".2f")
                for how in supervised
            ]
        )
    known = block["learned_from"]
    return [
        picture(plots.shots(few, own), "few-shot"),
        table(["finding", "words", *(f"{k} each" for k in shots), *supervised], rows),
        note(
            f"Learned from split {known['split']} of {known['data']}, {known['n_exams']} exams; embeddings "
            f"frozen. The curve is the mean of as many findings as there are exams of: {_counts(few)}."
            + _rare(block["too_rare_to_learn"])
        ),
    ]


def _counts(few: dict[str, Any]) -> str:
    return ", ".join(f"{b['n_findings']} at {k}" for k, b in few["mean_auc"].items())


def _rare(names: list[str]) -> str:
    return f" Too rare to learn: {', '.join(map(name, names))}." if names else ""


def _measurements(study: Study) -> list[str]:
    blocks = study.block.get("measurements", {})
    rows = [
        [
            name(m),
            value(b["mae"]),
            number(b["mae"]["chance"]),
            value(b["r2"], ".2f"),
            value(b["bias"]),
            f"{number(b['limit_low']['value'])} to {number(b['limit_high']['value'])}",
        ]
        for m, b in blocks.items()
    ]
    head = ["measurement", "mean error (95 %)", "saying the median", "R²", "bias", "95 % of errors"]
    pictures = [
        picture(
            plots.agreement(
                m, study.cohort.labels.measurements[m], study.columns[f"predicted_{m}"], b
            ),
            m,
        )
        for m, b in blocks.items()
        if m in ("lv_ef_percent", "lv_edv_ml", "lv_mass_g")
    ]
    return [*pictures, table(head, rows)]


def _classes(item: tuple[str, dict[str, Any]]) -> str:
    column, b = item
    numbers = [
        [name(k), value(b[k], ".2f"), number(b[k].get("chance", float("nan")), ".2f")]
        for k in ("accuracy", "balanced_accuracy", "macro_f1")
    ]
    rest = [
        [c, *map(str, row), value(b["one_versus_rest"][c], ".2f")]
        for c, row in zip(b["classes"], b["confusion"], strict=True)
    ]
    few = ", ".join(f"{k} each {v['mean']:.2f}" for k, v in b["few_shot"].items())
    return (
        table([f"{name(column)}, {b['n']} exams", "value (95 %)", "chance"], numbers)
        + table(["is, by what was said", *b["classes"], "AUC against the rest"], rest)
        + (note(f"Balanced accuracy of prototypes: {few}.") if few else "")
        + (note(f"Too few to tell: {', '.join(b['left_out'])}.") if b["left_out"] else "")
    )
