"""What the numbers of an evaluation say, in sentences; the worst first."""

import enum
import math
from typing import Any, NamedTuple

# Of real exams nothing is so: readers disagree more.
TOO_GOOD, ALIKE = 0.99, 0.999
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
    return sorted(said, key=lambda s: s.level)


def _least(found: dict[str, Any]) -> float:
    """The lower end of an interval; of a number that no resample changes, the number."""
    return found["low"] if math.isfinite(found["low"]) else found["value"]


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
    if mean := block.get("zero_shot", {}).get("mean_auc"):
        text = f"a mean AUC of {mean['value']:.2f}"
        if not _least(mean) > 0.5:
            said.append(Statement(Level.BAD, f"Findings: {text}, no better than chance."))
        else:
            said.append(
                Statement(Level.GOOD, f"Prompts alone rank findings better than chance: {text}.")
            )
    for way, measures in block.get("retrieval", {}).items():
        found = measures["R@10"]
        name = way.replace("_to_", " finds its ")
        text = f"{found['value']:.0%} among the first ten, chance {found['chance']:.0%}"
        if _least(found) > found["chance"]:
            said.append(Statement(Level.GOOD, f"{name.capitalize()}: {text}."))
        else:
            said.append(
                Statement(Level.BAD, f"{name.capitalize()}: {text}: no better than chance.")
            )
    return said


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
    if own and alone is not None and not _least(own) > alone:
        said.append(
            Statement(
                Level.BAD,
                f"It knows labels rather than hearts: a report finds its exam in {own['value']:.0%} "
                f"of cases, and labels alone would find {alone:.0%}. Look for a leak.",
            )
        )
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
    header = controls.get("header_metadata", {}).get("behind_embedding_probe")
    if header and not _least(header) > 0:
        said.append(
            Statement(
                Level.BAD,
                "Headers alone (vendor, field, sex, age, number of stacks) tell the findings as "
                "well as the embeddings do: what was learned may be who was scanned, not hearts.",
            )
        )
    frame = controls.get("mean_frame", {}).get("behind_model")
    if frame and not _least(frame) > 0:
        said.append(
            Statement(
                Level.DOUBT,
                "A supervised baseline on the mean picture is about as good as the prompts.",
            )
        )
    permuted = controls.get("permuted_reports", {}).get("mean_auc")
    if permuted and _least(permuted) > 0.5:
        said.append(
            Statement(
                Level.BAD,
                f"Models trained on other patients' reports reach {permuted['value']:.2f}, better "
                "than chance: the evaluation leaks.",
            )
        )
    return said


def _answers(block: dict[str, Any]) -> list[Statement]:
    findings = block.get("zero_shot", {}).get("findings", {})
    short = [
        name.replace("_", " ")
        for name, f in findings.items()
        if "abstention" in f and f["abstention"]["coverage"]["high"] < f["abstention"]["level"]
    ]
    if not short:
        return []
    return [
        Statement(
            Level.DOUBT,
            "Answers hold the truth less often than promised here: calibrate on exams of this kind "
            f"({', '.join(short)}).",
        )
    ]


def _shifted(block: dict[str, Any]) -> list[Statement]:
    shift = block.get("shift", {}).get("unusual")
    if not shift or not _least(shift) > 2 * shift["chance"]:
        return []
    return [
        Statement(
            Level.DOUBT,
            f"{shift['value']:.0%} of these exams are unlike those that the model learned from "
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
            text += f" There, going without costs {fall['value']:.2f} of mean AUC."
        said.append(Statement(Level.DOUBT, text))
    return said
