"""What sentences say: rules, held to sentences like those of case reports and to the phantom's."""

import re

import numpy as np
import pytest

from cmr_jax.evals import questions
from cmr_jax.wording import findings, numbers, plain, rephrased
from cmr_jax.wording.clauses import clauses
from data_prep.phantom.protocol import profile
from data_prep.phantom.report import impression
from data_prep.phantom.study import Study

SENTENCES = {
    # Sizes and function go to the chamber they are said of.
    "Dilated left ventricle with mildly depressed systolic function.": "+lv_dilation +lv_dysfunction",
    "The RV is severely dilated with moderately decreased contractility.": "+rv_dilation +rv_dysfunction",
    "Normal LV size and function.": "-lv_dilation -lv_dysfunction",
    "A non-dilated LV with normal global systolic function.": "-lv_dilation -lv_dysfunction",
    "Moderately dilated left ventricle, with preserved ejection fraction (62%).": (
        "+lv_dilation -lv_dysfunction"
    ),
    "Enlarged RV with moderately reduced right ventricular function.": "+rv_dilation +rv_dysfunction",
    "Normal biventricular size and systolic function.": (
        "-lv_dilation -lv_dysfunction -rv_dilation -rv_dysfunction"
    ),
    "Severe global LV systolic impairment (EF 35%), with normal LV size and wall thickness.": (
        "+lv_dysfunction -lv_dilation -lv_hypertrophy"
    ),
    "Left ventricular function was normal but the RV was dilated.": "-lv_dysfunction +rv_dilation",
    "The left and right ventricles are dilated.": "+lv_dilation +rv_dilation",
    "Dilated left ventricle and aorta.": "+lv_dilation +aortic_dilation",
    "Dilated LV and LA.": "+lv_dilation",
    "Severe left atrial enlargement.": "",
    "Diastolic dysfunction of the left ventricle.": "",
    "An ejection fraction of 32%.": "+lv_dysfunction",
    "LVEF 61 %.": "-lv_dysfunction",
    "Global hypokinesis.": "+lv_dysfunction",
    "Hypokinesis of the inferior wall.": "",
    # Walls.
    "No significant left ventricular hypertrophy.": "-lv_hypertrophy",
    "Concentric LVH.": "+lv_hypertrophy",
    "Right ventricular hypertrophy.": "",
    "The aortic valve is thickened.": "",
    "Asymmetric septal hypertrophy, in keeping with HCM.": "+lv_hypertrophy +hcm",
    "Increased body mass index.": "",
    # Tissue.
    "No LGE.": "-lge -infarct -nonischemic_lge",
    "PSIR LGE showing no focal scar.": "-lge -infarct -nonischemic_lge",
    "Absence of delayed enhancement to suggest infarct or infiltration.": (
        "-lge -infarct -nonischemic_lge"
    ),
    "Subendocardial LGE in the inferior wall, compatible with prior infarct.": "+lge +infarct",
    "Patchy mid-wall late gadolinium enhancement.": "+lge +nonischemic_lge",
    "Linear, non-transmural late gadolinium enhancement.": "+lge",
    "Diffuse subendocardial LGE, typical of cardiac amyloidosis.": "+lge +amyloidosis",
    "No findings of amyloid.": "-amyloidosis",
    "Pericardial enhancement, and no myocardial late gadolinium enhancement.": (
        "-lge -infarct -nonischemic_lge"
    ),
    "Nonischemic cardiomyopathy.": "+dcm",
    "Ischaemic cardiomyopathy.": "+infarct",
    # Vessels and fluid.
    "Dilatation of the ascending aorta up to 5.5 cm.": "+aortic_dilation",
    "Aorta normal in calibre.": "-aortic_dilation",
    "Severe aortic stenosis.": "",
    "Small circumferential pericardial effusion, no tamponade.": "+pericardial_effusion",
    "Resolution of the pericardial effusion.": "-pericardial_effusion",
    "Trace left pleural effusion.": "",
    # Lists, doubt, everything.
    "No pericardial effusion, thickening or mass.": "-pericardial_effusion",
    "Cannot exclude amyloidosis.": "",
    "Possible hypertrophic cardiomyopathy.": "",
    "See body of report.": "",
}


def told(what: str) -> dict[str, bool]:
    return {word[1:]: word[0] == "+" for word in what.split()}


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_sentence_says_this(sentence):
    assert findings.said(sentence) == told(SENTENCES[sentence])


def test_a_normal_exam_has_nothing():
    assert findings.said("1. Normal cardiac MRI.") == dict.fromkeys(findings.FINDINGS, False)


def test_what_is_there_anywhere_is_there():
    said = findings.said_by_all(["Normal RV size and function.", "LGE of the septum.", "No LGE."])
    assert said["lge"]
    assert not said["rv_dilation"]


def test_a_list_goes_on_to_be_denied_and_ends():
    first, second, third = clauses("No effusion, thickening, normal pericardium")
    assert first.denied_from is not None
    assert second.denied_from == 0
    assert third.denied_from is None


def test_bits_hold_what_is_said_and_only_that():
    everything = findings.bits({"lge": True, "hcm": False, "dcm": True})
    assert findings.bits({"lge": True}) & ~everything == 0
    assert findings.bits({"lge": False}) & ~everything != 0
    assert findings.bits({"amyloidosis": True}) & ~everything != 0
    assert findings.bits(dict.fromkeys(findings.FINDINGS, False)) < 2**31


def test_reports_of_the_phantom_are_read_as_they_are_meant():
    """The rules were written from case reports: the phantom's words are a test, and hold no error."""
    wrong, known = [], 0
    for index in range(120):
        study = Study(profile("demo-short"), index)
        said = findings.said_by_all(impression(study.subject, study.truth))
        known += len(said)
        wrong += [
            (index, name) for name, there in said.items() if there != study.truth.findings[name]
        ]
    assert not wrong
    assert known > 120 * 5


QUESTIONS = {  # of people who do not speak as reports do
    "a big, weak heart": "+lv_dilation +lv_dysfunction",
    "Which hearts have a stretched right side?": "+rv_dilation",
    "the left ventricle is much larger than it should be": "+lv_dilation",
    "LV volumes above the reference range": "+lv_dilation",
    "the left ventricle is not big": "-lv_dilation",
    "barely squeezing right ventricle": "+rv_dysfunction",
    "diminished RVEF": "+rv_dysfunction",
    "heart muscle does not pump well": "+lv_dysfunction",
    "left side pumps just fine": "-lv_dysfunction",
    "poor LV function but the right ventricle is spared": "+lv_dysfunction -rv_dysfunction",
    "thick walls and fluid around the heart": "+lv_hypertrophy +pericardial_effusion",
    "the septum is far thicker than the other walls": "+lv_hypertrophy +hcm",
    "LVH and no effusion": "+lv_hypertrophy -pericardial_effusion",
    "pleural effusion": "",
    "a big weak heart with fluid around it": "+lv_dilation +lv_dysfunction +pericardial_effusion",
    "dilated LV, RV normal": "+lv_dilation -rv_dilation -rv_dysfunction",
    "wide aorta": "+aortic_dilation",
    "wide aorta and thickened heart muscle": "+aortic_dilation +lv_hypertrophy",
    "old heart attack": "+infarct",
    "prior MI, no scar elsewhere": "+infarct -lge -nonischemic_lge",
    "scars that did not come from a blocked artery": "+lge +nonischemic_lge",
    "hypertrophic cardiomyopathy with enhancement": "+hcm +lge",
    "mid-wall enhancement": "+lge +nonischemic_lge",
    "pericardial enhancement": "",
    "nothing lights up": "-lge -infarct -nonischemic_lge",
    "dilated cardiomyopathy, scar-free": "+dcm -lge -infarct -nonischemic_lge",
    "infiltrative disease": "+amyloidosis",
    "normal left ventricle": "-lv_dilation -lv_dysfunction -lv_hypertrophy",
    "dilated RV, normal left ventricle": "+rv_dilation -lv_dilation -lv_dysfunction -lv_hypertrophy",
    "normal ventricles": "-lv_dilation -lv_dysfunction -rv_dilation -rv_dysfunction",
    "a healthy heart": " ".join(f"-{name}" for name in findings.FINDINGS),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_is_understood_as_a_report_would_say_it(question):
    assert findings.said(plain.reported(question)) == told(QUESTIONS[question])


@pytest.mark.parametrize("sentence", SENTENCES)
def test_what_reports_say_is_still_said(sentence):
    kept = findings.said(plain.reported(sentence))
    kept.pop(
        "amyloidosis" if "infiltration" in sentence else "", None
    )  # in reports too loose a word
    assert kept == told(SENTENCES[sentence])


def test_words_that_training_hears_are_understood_as_a_question():
    rng = np.random.default_rng(0)
    parts = {"dcm"}  # is told by what it is made of: dilated, and weak
    heard = [
        findings.said(plain.reported(rephrased.chosen(text, rng))).get(name) is (side == "there")
        for name, sides in rephrased.phrases().items()
        if name not in parts
        for side, some in sides.items()
        for text in some * 20
    ]
    assert len(heard) > 800
    assert np.mean(heard) > 0.97


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Moderately reduced LV function, LVEF 36%.", {"lv_ef_percent": 36}),
        ("EF 45-50 %.", {"lv_ef_percent": 47.5}),
        ("Reduced RV systolic function (RVEF 30%).", {"rv_ef_percent": 30}),
        ("Right ventricular ejection fraction 55%.", {"rv_ef_percent": 55}),
        ("Dilated LV (LVEDVi 128 mL/m2).", {"lv_edvi_ml_m2": 128}),
        ("Dilated LV (LVEDVi 128 mL/m²).", {"lv_edvi_ml_m2": 128}),
        ("Asymmetric septal hypertrophy, up to 2.1 cm.", {"lv_wall_mm": 21}),
        ("Dilated aortic root (45 mm).", {"aorta_mm": 45}),
        ("Pericardial effusion measuring 12 mm.", {"effusion_mm": 12}),
        ("Small hiatal hernia of 3 cm.", {}),
        ("LV is not dilated.", {}),
    ],
)
def test_numbers_are_read_with_their_units(sentence, expected):
    assert numbers.stated([sentence]) == expected


def test_numbers_of_the_phantom_are_those_that_are_true():
    apart = []
    for index in range(80):
        study = Study(profile("demo-short"), index)
        found = numbers.stated(impression(study.subject, study.truth))
        true = study.truth.measurements
        true |= {
            "lv_edvi_ml_m2": true["lv_edv_ml"] / study.subject.bsa_m2,
            "rv_edvi_ml_m2": true["rv_edv_ml"] / study.subject.bsa_m2,
            "lv_wall_mm": true["lv_max_wall_mm"],
            "aorta_mm": true["aortic_root_mm"],
        }
        apart += [abs(value - true[name]) for name, value in found.items()]
    assert len(apart) > 60
    assert max(apart) < 1.0
    assert np.isclose(numbers.away("lv_ef_percent", 66.0), 1)


def test_held_out_prompts_are_in_words_that_the_phantom_does_not_have():
    words = set()
    for index in range(250):
        study = Study(profile("demo-short"), index)
        words |= set(
            re.findall(r"[a-z]+", " ".join(impression(study.subject, study.truth)).lower())
        )
    shipped = questions.read("held_out")
    assert set(shipped) == set(findings.FINDINGS)
    prompts = {t for q in shipped.values() for side in q for t in side}
    foreign = {t for t in prompts if set(re.findall(r"[a-z]+", t.lower())) - words - SMALL}
    assert prompts == foreign
    assert not prompts & {t for q in questions.read("reports").values() for side in q for t in side}


# Words that no phrase is foreign by.
SMALL = set(re.findall(r"\w+", "a an the is are of by in there that does not and after its as"))


PROMPTS = {  # of words that are not those of reports
    prompt
    for name in ("held_out", "published")
    for question in questions.read(name).values()
    for side in question
    for prompt in side
}


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("finding", findings.FINDINGS)
def test_other_words_say_the_same_and_are_no_prompt(finding, there):
    rng = np.random.default_rng(0)
    made = {rephrased.said_otherwise({finding: there}, rng) for _ in range(300)}
    assert len(made) > 2
    assert not made & PROMPTS
    for text in made:
        assert re.fullmatch(r"[A-Z][^\[\]|]*\.", text)
        assert findings.said(text).get(finding, there) is there, text


def test_what_goes_without_saying_is_not_said_otherwise():
    rng = np.random.default_rng(0)
    what = findings.said("Transmural LGE in the inferior wall, prior infarct.")
    assert what == {"lge": True, "infarct": True}
    for _ in range(50):
        assert rephrased.said_otherwise(what, rng).count(".") == 1
    both = findings.said("Dilated left ventricle with reduced systolic function.")
    seen = {rephrased.said_otherwise(both, rng) for _ in range(50)}
    assert all(text.count(".") == 2 for text in seen)
    assert findings.said_by_all(re.split(r"(?<=\.) ", min(seen))) == both
