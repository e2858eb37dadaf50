"""What the numbers of an evaluation say, in sentences; the worst first."""

import enum
import math
from typing import Any, NamedTuple

from statsmodels.stats.multitest import multipletests

from cmr_jax.evals.answers import LEAST_TESTED

# Of real exams nothing is so: readers disagree more.
TOO_GOOD, ALIKE = 0.99, 0.999
# As good as none: an AUC, a difference of AUCs or of recalls.
NO_AUC, CLOSE = 0.6, 0.05
MOST_CHANCE = 0.2  # of recall at 10, so that it still tells models apart
SURE = 0.05  # how surprising what is said must be
RARE = 0.5  # share of exams with a kind of picture below which it is as good as absent


class Level(enum.IntEnum):
    """How a reader should take it."""

    BAD = 0
    DOUBT = 1
    GOOD = 2


class Statement(NamedTuple):
    """One thing to know."""

    level: Level
    text: str

    def to_json(self) -> dict[str, str]:
        """Plain values."""
        return {"level": self.level.name.lower(), "text": self.text}


def judge(block: dict[str, Any], home: dict[str, Any] | None = None) -> list[Statement]:
    """Of one data set; `home` is the block of the data that the model knows, of another."""
    rules = (_collapsed, _leaking, _worth, _labelled, _controlled, _answers, _shifted)
    said = [s for rule in rules for s in rule(block)]
    if home is not None:
        said += _lacking(block, home)
    elif block.get("split") == "val":
        text = "A checkpoint may have been chosen by these very exams: the split is val."
        said.append(Statement(Level.DOUBT, text))
    return sorted(said, key=lambda s: s.level)


def _side(found: dict[str, Any], line: float, near: float) -> Level:
    """Above a line for sure, no farther above it than `near`, or not known; a number that no resample
    changes is sure."""
    known = math.isfinite(found["low"])
    low, high = (found["low"], found["high"]) if known else (found["value"],) * 2
    if low > line:
        return Level.GOOD
    return Level.BAD if high <= near else Level.DOUBT


def _collapsed(block: dict[str, Any]) -> list[Statement]:
    return [
        Statement(
            Level.BAD,
            f"Collapsed: all {what} have nearly the same embedding (mean cosine {alike:.4f}). "
            "Nothing below can be trusted.",
        )
        for what, alike in block.get("alike", {}).items()
        if alike > ALIKE
    ]


def _worth(block: dict[str, Any]) -> list[Statement]:
    said = []
    few = f"not shown to be better than chance with {block['n_patients']} patients"
    if mean := block.get("zero_shot", {}).get("mean_auc"):
        text = f"a mean AUC of {mean['value']:.2f}"
        level = _side(mean, 0.5, NO_AUC)
        words = {
            Level.GOOD: f"Prompts alone rank findings better than chance: {text}.",
            Level.DOUBT: f"Findings: {text}, {few}.",
            Level.BAD: f"Findings: {text}, no better than chance.",
        }
        said.append(Statement(level, words[level]))
    for way, found in block.get("retrieval", {}).items():
        said.append(_finds(way.replace("_to_", " finds its ").capitalize(), found, block, few))
    return said


def _finds(name: str, found: dict[str, Any], block: dict[str, Any], few: str) -> Statement:
    """By recall at 10, or among few exams by the mean reciprocal rank."""
    ten, mrr = found["R@10"], found["MRR"]
    if ten["chance"] <= MOST_CHANCE:
        judged = ten
        text = f"{ten['value']:.0%} among the first ten, chance {ten['chance']:.0%}"
    else:
        judged, text = mrr, f"mean reciprocal rank {mrr['value']:.2f}, chance {mrr['chance']:.2f}"
    level = _side(judged, judged["chance"], 2 * judged["chance"])
    if block["n_patients"] < LEAST_TESTED:
        level = Level.DOUBT
    ends = {Level.GOOD: "", Level.DOUBT: f": {few}", Level.BAD: ": no better than chance"}
    return Statement(level, f"{name}: {text}{ends[level]}.")


def _leaking(block: dict[str, Any]) -> list[Statement]:
    said = []
    if shared := block.get("patients_trained_on", 0):
        said.append(
            Statement(Level.BAD, f"{shared} of the patients were trained on: this is no test.")
        )
    mean = block.get("zero_shot", {}).get("mean_auc")
    if not mean or not mean["value"] > TOO_GOOD:
        return said
    said.append(
        Statement(
            Level.DOUBT,
            f"A mean AUC of {mean['value']:.3f} is more than readers agree on: look for text in "
            "pictures, labels made from what the model sees, and patients on both sides.",
        )
    )
    own = block.get("retrieval", {}).get("report_to_exam", {}).get("R@10")
    alone = block.get("labels_alone", {}).get("R@10")
    if own and alone is not None and _side(own, alone, alone) is not Level.GOOD:
        text = (
            f"It may know labels rather than hearts: a report finds its exam in {own['value']:.0%} of "
            f"cases, and labels alone would find {alone:.0%}. Look for a leak."
        )
        sure = own["value"] <= alone + CLOSE
        said.append(Statement(Level.BAD if sure else Level.DOUBT, text))
    return said


def _labelled(block: dict[str, Any]) -> list[Statement]:
    """What became of labels.csv: nothing is left out in silence."""
    without, stray = block.get("exams_without_labels", 0), block.get("labels_of_no_exam", 0)
    said = []
    if stray:
        said.append(
            f"{stray} rows of labels.csv are of no exam here: were they made with another build or key?"
        )
    if without:
        said.append(
            f"{without} of {block['n_exams']} exams have no labels; findings are told of the others."
        )
    if unreadable := block.get("unreadable_labels", 0):
        said.append(
            f"{unreadable} labels are no numbers where the others are, and count as absent."
        )
    return [Statement(Level.DOUBT, text) for text in said]


def _controlled(block: dict[str, Any]) -> list[Statement]:
    said = []
    controls = block.get("controls", {})
    if header := controls.get("header_metadata", {}).get("behind_embedding_probe"):
        level = _side(header, 0.0, CLOSE)
        what = "Headers alone (vendor, field, sex, age, number of stacks) tell the findings"
        if level is Level.BAD:
            text = f"{what} as well as the embeddings do: what was learned may be who was scanned."
            said.append(Statement(level, text))
        elif level is Level.DOUBT:
            text = f"It is not shown that embeddings tell more than headers: {what.lower()} too."
            said.append(Statement(level, text))
    frame = controls.get("mean_frame", {}).get("behind_model")
    if frame and _side(frame, 0.0, CLOSE) is not Level.GOOD:
        text = "Prompts are not shown to be better than a supervised baseline on the mean picture."
        said.append(Statement(Level.DOUBT, text))
    permuted = controls.get("permuted_reports", {})
    mean = permuted.get("mean_auc")
    if mean and mean["low"] > 0.5:
        several = permuted.get("runs", 1) > 1
        text = f"Models trained on other patients' reports reach {mean['value']:.2f}"
        text += (
            ", better than chance: the evaluation leaks."
            if several
            else (" in one run, which may be luck: train several (--repeats).")
        )
        said.append(Statement(Level.BAD if several else Level.DOUBT, text))
    return said


def _answers(block: dict[str, Any]) -> list[Statement]:
    """Where fewer sets of answers hold the truth than luck of so few exams explains, over all findings
    and both classes (Holm)."""
    findings = block.get("zero_shot", {}).get("findings", {})
    p = {
        (name, side): f["abstention"][f"p_short_{side}"]
        for name, f in findings.items()
        for side in ("with", "without")
        if "abstention" in f and math.isfinite(f["abstention"][f"p_short_{side}"])
    }
    if not p:
        return []
    short = [
        f"those {side} {name.replace('_', ' ')}"
        for (name, side), wrong in zip(
            p, multipletests(list(p.values()), SURE, "holm")[0], strict=True
        )
        if wrong
    ]
    if not short:
        return []
    text = "Answers hold the truth less often than promised here: calibrate on exams of this kind"
    return [Statement(Level.DOUBT, f"{text} ({', '.join(short)}).")]


def _shifted(block: dict[str, Any]) -> list[Statement]:
    shift = block.get("shift", {}).get("unusual")
    if not shift or _side(shift, 2 * shift["chance"], 0.0) is not Level.GOOD:
        return []
    return [
        Statement(
            Level.DOUBT,
            f"{shift['value']:.0%} of these exams are unlike the training exams of home "
            f"({shift['chance']:.0%} would be usual).",
        )
    ]


def _lacking(block: dict[str, Any], home: dict[str, Any]) -> list[Statement]:
    """Kinds of pictures that the model is used to and that are not here, as in sets of cines alone."""
    here, there = block.get("share_with", {}), home.get("share_with", {})
    said = []
    for kind in (k for k, share in here.items() if share < RARE <= there.get(k, 0)):
        text = f"Most exams have no {kind}, which most exams of home have."
        fall = home.get("without", {}).get(kind, {}).get("mean_auc")
        if fall and math.isfinite(fall["value"]):
            text += f" There, going without costs {round(fall['value'], 2) + 0.0:.2f} of mean AUC."
        said.append(Statement(Level.DOUBT, text))
    return said
