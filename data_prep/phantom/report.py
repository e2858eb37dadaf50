"""Reads an exam into a report, the way clinicians write: order, wording, numbers, hedges, noise.

Sentences come from templates in which `[a|b|]` is a choice.  What is said is true of the subject;
what is left out, how it is graded and how it is worded varies.
"""

import re

import numpy as np

from data_prep.phantom.identity import Identity
from data_prep.phantom.population import Diagnosis, Scar, Subject, Territory, exam_rng
from data_prep.phantom.truth import Truth

WALLS = {
    Territory.LAD: ["mid anterior and anteroseptal walls and apex", "anterior wall and apex"],
    Territory.RCA: ["inferior wall", "basal to mid inferior wall and inferoseptum"],
    Territory.LCX: ["lateral wall", "inferolateral wall", "basal to mid lateral wall"],
}


def expand(template: str, rng: np.random.Generator) -> str:
    """Chooses one way through `[a|b|]` groups, innermost first."""
    while group := re.search(r"\[([^\[\]]*)\]", template):
        options = group.group(1).split("|")
        chosen = options[rng.integers(len(options))]
        template = template[: group.start()] + chosen + template[group.end() :]
    text = re.sub(r"\s+([,.;])", r"\1", re.sub(r"\s+", " ", template)).strip()
    return text[0].upper() + text[1:]


def _grade(value: float, mild: float, moderate: float) -> str:
    """An adverb for how far a value is from normal; lower is worse."""
    if value >= mild:
        return "[mildly|mildly|mild to moderately]"
    return "[moderately|moderately]" if value >= moderate else "[severely|severely|markedly]"


LV = "[LV|left ventricle|left ventricular cavity]"
NORMAL_TEXTS = (
    ("Normal cardiac MRI.", "No late gadolinium enhancement."),
    ("Normal biventricular size and systolic function.", "No late gadolinium enhancement."),
    ("Normal LV size and function.", "Normal RV size and function.", "No LGE."),
)


def _left_ventricle(s: Subject, t: Truth, rng) -> list[str]:
    ef, edvi = t.measurements["lv_ef_percent"], t.measurements["lv_edv_ml"] / s.bsa_m2
    size, lines = "", []
    if t.findings["lv_dilation"]:
        grade = _grade(-edvi, -125, -150)
        size = f"[{grade}|] [dilated|enlarged] {LV} [(LVEDVi {edvi:.0f} mL/m2)||by indexed volume]"
    number = f"[, LVEF {ef:.0f}%|, EF {ef:.0f}%| with an ejection fraction of {ef:.0f}%| (EF {ef:.0f}%)|]"
    if t.findings["lv_dysfunction"]:
        grade = _grade(ef, 40, 30)
        weak = "[reduced|decreased|impaired|depressed]"
        function = f"{grade} {weak} [LV|left ventricular|global LV] systolic function{number}"
        if size and rng.random() < 0.4:
            return [f"{size} with {grade} {weak} systolic function{number}."]
        lines = [f"{function}."]
    else:
        lines = [f"[normal|preserved] [LV|left ventricular] systolic function{number}."]
    if size:
        return [f"{size}.", *lines] if rng.random() < 0.7 else [*lines, f"{size}."]
    if rng.random() < 0.6:
        lines.insert(
            0, f"[{LV} is normal in size|{LV} is not dilated|normal [LV|left ventricular] size]."
        )
    return lines


def _wall(s: Subject, t: Truth, rng) -> list[str]:
    thick = t.measurements["lv_max_wall_mm"]
    if s.diagnosis is Diagnosis.HCM:
        return [
            f"asymmetric septal hypertrophy [, maximal thickness {thick:.0f} mm|, up to {thick / 10:.1f} cm|]"
            "[, consistent with|, in keeping with|, phenotype of] hypertrophic cardiomyopathy."
        ]
    if t.findings["lv_hypertrophy"]:
        return [
            f"[concentric|] [LV hypertrophy|left ventricular hypertrophy|increased LV wall thickness"
            f" ({thick:.0f} mm)]."
        ]
    return ["[no|no evidence of] LV hypertrophy."] if rng.random() < 0.25 else []


def _tissue(s: Subject, t: Truth, rng) -> list[str]:
    """What enhances late, and what that means."""
    if s.territory is not None and s.scar in (Scar.SUBENDOCARDIAL, Scar.TRANSMURAL):
        wall = WALLS[s.territory][rng.integers(len(WALLS[s.territory]))]
        depth = (
            "subendocardial" if s.scar is Scar.SUBENDOCARDIAL else "[transmural|near-transmural]"
        )
        moves = "[akinesis|thinning and akinesis]" if s.kinesis < 0.2 else "hypokinesis"
        area = s.territory.value
        return [
            f"{moves} of the {wall} [, {area} territory|].",
            f"{depth} [LGE|late gadolinium enhancement|delayed enhancement] [in|involving] the {wall}"
            f"[, consistent with|, compatible with|, c/w] prior {area} [infarct|myocardial infarction]"
            "[; nonviable|; limited viability|].",
            *(["[findings of|] ischemic cardiomyopathy."] if s.diagnosis is Diagnosis.ICM else []),
        ]
    if s.scar is Scar.MIDWALL:
        lines = [
            "[linear|stripe-like] mid-[wall|myocardial] septal [LGE|late gadolinium enhancement|fibrosis]"
            "[, nonischemic pattern|, in a nonischemic pattern|]."
        ]
    elif s.scar is Scar.PATCHY:
        lines = [
            "patchy [mid-wall|mid-myocardial] [LGE|late gadolinium enhancement] at the RV insertion points"
            "[, nonischemic pattern|, in a nonischemic pattern|]."
        ]
    elif s.scar is Scar.DIFFUSE:
        lines = [
            "[diffuse|global] [subendocardial|transmural] [LGE|late gadolinium enhancement]"
            " [with abnormal nulling|with dark blood pool|], [highly suggestive of|concerning for|typical of]"
            " cardiac [amyloidosis|amyloid]."
        ]
    else:
        lines = (
            [
                "[no|absence of|no evidence of] [LGE|late gadolinium enhancement|delayed enhancement|scar]"
                " [to suggest infarct or infiltration|in any territory|]."
            ]
            if rng.random() < 0.85
            else []
        )
    if s.diagnosis is Diagnosis.DCM:
        lines.append(
            "[findings|constellation] [consistent with|c/w|compatible with] [nonischemic|dilated] cardiomyopathy."
        )
    return lines


def _right_ventricle(s: Subject, t: Truth, rng) -> list[str]:
    grade = _grade(s.rv_ef_percent, 35, 26)
    wide, weak = t.findings["rv_dilation"], t.findings["rv_dysfunction"]
    name = "[RV|right ventricle]"
    volume = s.rv_edv_ml / s.bsa_m2
    if wide and weak:
        return [
            f"[mildly|moderately|] [dilated|enlarged] {name} with {grade} [reduced|decreased] [RV|right ventricular]"
            f" [systolic|] function [(RVEF {s.rv_ef_percent:.0f}%)|]."
        ]
    if wide:
        return [
            f"[dilated|enlarged] {name} [(RVEDVi {volume:.0f} mL/m2)|] with normal [RV|right ventricular] function."
        ]
    if weak:
        return [
            f"{grade} [reduced|decreased|impaired] [RV|right ventricular] systolic function"
            f" [(RVEF {s.rv_ef_percent:.0f}%)|]."
        ]
    return (
        [
            "[normal RV size and function|right ventricle is normal in size and function|RV unremarkable]."
        ]
        if rng.random() < 0.6
        else []
    )


def _rest(s: Subject, t: Truth, rng) -> list[str]:
    lines = []
    if t.findings["pericardial_effusion"]:
        size = "small" if s.effusion_mm < 10 else "moderate" if s.effusion_mm < 18 else "large"
        lines.append(
            f"{size} [circumferential|] pericardial effusion [measuring {s.effusion_mm:.0f} mm|][, no tamponade|]."
        )
    elif rng.random() < 0.4:
        lines.append("no pericardial effusion.")
    if t.findings["aortic_dilation"]:
        grade = "mildly" if s.aortic_root_mm < 45 else "[moderately|severely]"
        size = f"[({s.aortic_root_mm:.0f} mm)|{s.aortic_root_mm / 10:.1f} cm|]"
        lines.append(f"[{grade}|] [dilated|ectatic|enlarged] aortic root {size}.")
    elif rng.random() < 0.3:
        lines.append(
            "[aorta normal in caliber|normal caliber aortic root|aortic root is not dilated]."
        )
    if s.la_max_ml > 90:
        lines.append("[mild|moderate|] [left atrial|LA] enlargement.")
    rng.shuffle(lines)
    return lines


NOISE = (
    "small hiatal hernia.",
    "[small|trace] [left|right] pleural effusion.",
    "simple [liver|renal] cyst.",
    "[limited breath-holding|arrhythmia] degrades image quality.",
    "clinical correlation [recommended|advised].",
    "see body of report.",
)


def _motion(s: Subject, t: Truth, rng) -> list[str]:
    """What is left to say where no contrast was given: what does not move, and what cines tell."""
    lines = _tissue(s, t, rng)
    if s.territory is not None:
        return lines[:1]
    return lines[-1:] if s.diagnosis is Diagnosis.DCM else []


def impression(subject: Subject, t: Truth, contrast: bool = True) -> list[str]:
    """The sentences of the impression; half of the normals share one of three texts.

    Without `contrast` there is no word of late enhancement, nor of what only that could tell."""
    rng = exam_rng(subject.seed, subject.index, 2)
    if not any(t.findings.values()) and rng.random() < 0.5:
        lines = NORMAL_TEXTS[rng.integers(len(NORMAL_TEXTS))]
        return list(lines if contrast else (line for line in lines if not line.startswith("No ")))
    tissue = _tissue if contrast else _motion
    blocks: list[list[str]] = [
        f(subject, t, rng) for f in (_left_ventricle, _wall, tissue, _right_ventricle, _rest)
    ]
    if rng.random() < 0.3:  # some lead with what the tissue says
        blocks[0], blocks[2] = blocks[2], blocks[0]
    lines = [line for block in blocks for line in block]
    if rng.random() < 0.2:
        lines.append(NOISE[rng.integers(len(NOISE))])
    return [expand(line, rng) for line in lines]


def report(subject: Subject, t: Truth, who: Identity, contrast: bool = True) -> str:
    """The whole report as it leaves the reporting system, names and dates included."""
    rng = exam_rng(subject.seed, subject.index, 3)
    name, mrn, reader, date = who.family, who.patient_id, who.reader, who.us_date
    lines = impression(subject, t, contrast)
    if rng.random() < 0.15:
        lines.append(
            f"Discussed with Dr. {reader} at {rng.integers(7, 19)}:{rng.integers(10, 59)}."
        )
    if rng.random() < 0.10:
        lines.append(f"Compared to prior CMR of {date}, no interval change.")
    if rng.random() < 0.06:
        lines.append(f"{'Mr.' if subject.male else 'Ms.'} {name} (MRN {mrn}) informed by phone.")
    style = rng.integers(4)
    if style == 0:
        body = " ".join(lines)
    else:
        mark = {1: "{}. ", 2: "{}) ", 3: "- "}[int(style)]
        body = "\n".join(mark.format(i + 1) + line for i, line in enumerate(lines))
    head = ("IMPRESSION:", "Impression:", "CONCLUSION:", "IMPRESSION")[rng.integers(4)]
    m = t.measurements
    exam = f"Cardiac MRI {'with and ' if contrast else ''}without contrast"
    return (
        f"EXAM: {exam}\nDATE: {date}\nPATIENT: {name} MRN: {mrn}\n"
        f"FINDINGS:\nLVEDV {m['lv_edv_ml']:.0f} mL, LVESV {m['lv_esv_ml']:.0f} mL, LV mass {m['lv_mass_g']:.0f} g.\n"
        f"RVEDV {m['rv_edv_ml']:.0f} mL.\n{head}\n{body}\nElectronically signed by: {reader}, MD {date}"
    )
