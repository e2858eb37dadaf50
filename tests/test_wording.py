"""What sentences say: rules, held to sentences like those of case reports and to the phantom's."""

import collections
import json
import pathlib
import re

import numpy as np
import pytest

from cmr_jax.evals import questions
from cmr_jax.wording import findings, lexicon, numbers, plain, rephrased, spelling, statements
from cmr_jax.wording.__main__ import explained
from cmr_jax.wording.context import split
from cmr_jax.wording.languages import NOT_UNDERSTOOD
from cmr_jax.wording.normalization import normal
from data_prep.phantom.protocol import profile
from data_prep.phantom.report import impression
from data_prep.phantom.study import Study
from tests.benchmarks import reader

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
        "-lge -infarct -nonischemic_lge -amyloidosis"
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


def labels(what: str) -> dict[str, bool]:
    return {word[1:]: word[0] == "+" for word in what.split()}


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_sentence_says_this(sentence):
    assert findings.said(sentence) == labels(SENTENCES[sentence])


def test_a_normal_exam_has_nothing():
    assert findings.said("1. Normal cardiac MRI.") == dict.fromkeys(findings.FINDINGS, False)


def test_what_is_there_anywhere_is_there():
    said = findings.said_by_all(["Normal RV size and function.", "LGE of the septum.", "No LGE."])
    assert said["lge"]
    assert not said["rv_dilation"]


DELICATE = {  # read wrongly once
    "Normal study apart from LGE in the septum.": "+lge",
    "Normal cardiac function with late enhancement of the inferior wall.": "-lv_dysfunction +lge",
    "Normal heart size, but reduced LV function.": "+lv_dysfunction",
    "Normal heart rhythm, severely dilated LV.": "+lv_dilation",
    "Normal study quality with dilated LV.": "+lv_dilation",
    "Normal cardiac output.": "",
    "Unremarkable examination of the lungs.": "",
    "The right ventricle is dilated with ejection fraction 38%.": "+rv_dilation +rv_dysfunction",
    "RV systolic function is reduced, EF 35%.": "+rv_dysfunction",
    "Right ventricle dilated, ejection fraction 38 %, LV normal.": (
        "+rv_dilation +rv_dysfunction -lv_dilation -lv_dysfunction"
    ),
    "RV normal, EF 33 %.": "-rv_dilation -rv_dysfunction +lv_dysfunction",
    "HCM, LVOT obstruction not seen.": "+hcm",
    "Dilated cardiomyopathy, thrombus not identified.": "+dcm",
    "Amyloidosis, thrombus excluded.": "+amyloidosis",
    "Pericardial effusion, tamponade not present.": "+pericardial_effusion",
    "LV hypertrophy, thrombus absent.": "+lv_hypertrophy",
    "LGE seen, oedema not seen.": "+lge",
    "Infarct, thrombus: none.": "+infarct",
    "No increased wall thickness.": "-lv_hypertrophy",
    "No increased LV volumes.": "-lv_dilation",
    "No decreased LV function.": "-lv_dysfunction",
    "No decrease in LV function.": "",
    "There is possible LGE in the septum.": "",
    "There is suspected amyloidosis.": "",
    "It is possible that this represents HCM.": "",
    "LV is borderline dilated.": "",
    "It is unlikely that this is amyloidosis.": "",
    "LV function is not normal.": "+lv_dysfunction",
    "LV size is not normal.": "",
    "LV function has not normalised.": "+lv_dysfunction",
    "LV normal, RV not normal.": "-lv_dilation -lv_dysfunction",
    "LV systolic function is well below normal.": "",
    "LV volumes are above the normal range.": "",
    "LGE absent in all segments.": "-lge -infarct -nonischemic_lge",
    "LGE absent throughout the myocardium.": "-lge -infarct -nonischemic_lge",
    "LGE is absent in the septum and lateral wall.": "",
    "No LGE in any segment.": "-lge -infarct -nonischemic_lge",
    "Pericardial effusion has not resolved.": "+pericardial_effusion",
    "LV dysfunction has not resolved.": "+lv_dysfunction",
    "No resolution of pericardial effusion.": "+pericardial_effusion",
    "Severe LV dilatation without LGE.": "+lv_dilation -lge -infarct -nonischemic_lge",
    "Severe LV hypertrophy without LVOT obstruction.": "+lv_hypertrophy",
    "Large apical infarct without thrombus.": "+infarct",
    "Large pericardial effusion not causing tamponade.": "+pericardial_effusion",
    "No severe RV dilatation.": "",
    "LV mass is normal.": "",
    "Normal LV filling.": "",
    "Normal RV pressure.": "",
    "Aortic flow is normal.": "",
    "Ejection fraction 0.55.": "-lv_dysfunction",
    "LVEF 0.35.": "+lv_dysfunction",
    "Septal scar 15 mm in length.": "+lge",
    "Atrial septal defect 14 mm.": "",
    "Ventricular septal defect of 15 mm.": "",
    "RV wall thickness 13 mm.": "",
    "Lipomatous hypertrophy of the interatrial septum.": "",
    "HCM vs. amyloid.": "",
    "Findings argue against infarction.": "-infarct",
    "Lack of LGE.": "-lge -infarct -nonischemic_lge",
    "The study fails to demonstrate LGE.": "-lge -infarct -nonischemic_lge",
    "Findings not consistent with amyloidosis.": "-amyloidosis",
    "Findings may be consistent with cardiac amyloidosis.": "",
    "Amyloidosis must be excluded.": "",
    "No microvascular obstruction in the infarct.": "+infarct",
    "No thrombus overlying the apical infarct.": "+infarct",
    "No mitral regurgitation despite dilated LV.": "+lv_dilation",
    "No LVOT obstruction despite LVH.": "+lv_hypertrophy",
    "No thrombus is seen in the severely dilated left ventricle.": "+lv_dilation",
    "No thrombus in the dilated and hypokinetic LV.": "+lv_dysfunction",
    "EF was 25 % in 2019, now 55 %.": "-lv_dysfunction",
    "Previous EF 25 %, current 55 %.": "-lv_dysfunction",
    "EF 35 %, currently 3 stents.": "+lv_dysfunction",
    "LGE in a non-infarct pattern.": "+lge +nonischemic_lge",
    "No nonischemic LGE.": "-nonischemic_lge",
    "Mid-wall, linear LGE, no ischemic scar.": "+lge +nonischemic_lge -infarct",
    "Subendocardial scar of the apex and subepicardial LGE.": "+lge +infarct +nonischemic_lge",
    "No dilatation, hypertrophy nor scar of the LV.": "-lv_dilation -lv_hypertrophy -lge -infarct -nonischemic_lge",
    "No dilatation of the LV or of the aorta.": "-lv_dilation -aortic_dilation",
    "Normal EF (LV 63 %, RV 60 %).": "-lv_dysfunction -rv_dysfunction",
    "Lateral wall 15 mm thick.": "+lv_hypertrophy",
    "Thrombus at the wall, 15 mm.": "",
    "Wall thickness max. 20 mm.": "+lv_hypertrophy",
    "No LGE, but pericardial effusion.": "-lge -infarct -nonischemic_lge +pericardial_effusion",
    "No infarct, but LV dilatation.": "-infarct +lv_dilation",
    "Possible amyloidosis, however LGE.": "+lge",
    "No effusion, inferior infarct.": "-pericardial_effusion",
    "EF quantified at 1.5 T was 48 %.": "",
    "LVEF was 35 % (scar now 12 %).": "+lv_dysfunction +lge",
    "Chest wall lipoma of 25 mm.": "",
    "Aortic wall thickness 14 mm.": "",
    "LV 25 % scar.": "+lge",
    "Non-ischemic LGE.": "+lge +nonischemic_lge",
    "HCM without apical aneurysm or LGE.": "+hcm -lge -infarct -nonischemic_lge",
    "No LGE in the septum.": "",
    "Evidence for HCM is lacking.": "-hcm",
    "Dilated, hypertrophied RV.": "+rv_dilation",
    "Echocardiography had suggested LV hypertrophy.": "",
    "Normal LV size, wall thickness and function.": "-lv_dilation -lv_hypertrophy -lv_dysfunction",
    "Increase in LV wall thickness (14-16 mm).": "+lv_hypertrophy",
    "Aorta below the threshold for dilatation.": "-aortic_dilation",
    "RV: nl size/fxn.": "-rv_dilation -rv_dysfunction",
}


@pytest.mark.parametrize("sentence", DELICATE)
def test_a_delicate_sentence_is_not_reversed(sentence):
    assert findings.said(sentence) == labels(DELICATE[sentence])


SCOPES = {  # what is denied in [], doubted in {}, skipped in <>
    "No effusion, thickening, normal pericardium": ["[effusion]", "[thickening]", "pericardium"],
    "No thrombus, RV enlarged, LGE in the septum.": ["[thrombus]", "enlarged", "lge"],
    "No LGE, effusion or dilatation of the RV.": ["[lge]", "[effusion]", "[dilatation]"],
    "No effusion and the RV is dilated.": ["[effusion]", "dilated"],
    "LV not dilated, EF reduced.": ["[dilated]", "reduced"],
    "Pericardial effusion is not seen.": ["[effusion]"],
    "Late enhancement: none.": ["[enhancement]"],
    "LGE -": ["[lge]"],
    "LGE-negative DCM": ["[lge]", "dcm"],
    "Effusion, thrombus and LGE are absent.": ["[effusion]", "[thrombus]", "[lge]"],
    "No change in effusion.": ["effusion"],
    "No scar elsewhere.": ["<scar>"],
    "LGE in the septum, no scar elsewhere.": ["lge", "<scar>"],
    "HCM, effusion, none.": ["hcm", "[effusion]"],
    "HCM not excluded.": ["{hcm}"],
    "Rule out amyloidosis.": ["{amyloidosis}"],
    "HCM is ruled out.": ["[hcm]"],
    "Amyloidosis, suspected.": ["{amyloidosis}"],
    "LGE could not be assessed.": ["<lge>"],
    "Dilated LV possibly from DCM.": ["dilated", "{dcm}"],
    "LGE suspicious for sarcoidosis.": ["lge", "{sarcoid}"],
    "HCM versus amyloidosis.": ["{hcm}", "{amyloid}"],
    "LV size borderline.": ["{size}"],
    "Mother with HCM.": ["<hcm>"],
    "History of DCM, amyloidosis.": ["<dcm>", "<amyloidosis>"],
    "Possible DCM, amyloidosis.": ["{dcm}", "{amyloidosis}"],
    "No HCM, amyloidosis.": ["[hcm]", "[amyloidosis]"],
    "Probable infarct.": ["{infarct}"],
}


@pytest.mark.parametrize("sentence", SCOPES)
def test_denial_and_doubt_reach_as_far_as_they_should(sentence):
    found = split(normal(sentence))
    for wanted in SCOPES[sentence]:
        word = wanted.strip("[]{}<>")
        (clause,) = (c for c in found if word in c.text)
        at = clause.text.index(word)
        assert clause.denies(at) is (wanted[0] == "["), (wanted, found)
        assert clause.doubts(at) is (wanted[0] == "{"), (wanted, found)
        assert clause.skips(at) is (wanted[0] == "<"), (wanted, found)


STATED = {  # finding, state, grade, places, words
    "No effusion, LV severely dilated, HCM not excluded.": [
        ("lv_dilation", "present", "severe", (), "LV severely dilated"),
        ("pericardial_effusion", "absent", "", (), "No effusion"),
        ("hcm", "uncertain", "", (), "HCM not excluded"),
    ],
    "Subendocardial LGE in the inferior and infero-lateral wall, RCA territory, no scar elsewhere.": [
        (name, "present", "", ("inferior", "inferolateral", "RCA"), "Subendocardial LGE in the "
         "inferior and infero-lateral wall") for name in ("lge", "infarct")
    ],
    "Mild to moderate LV dysfunction, severe RV dilatation.": [
        ("lv_dysfunction", "present", "mild to moderate", (), "Mild to moderate LV dysfunction"),
        ("rv_dilation", "present", "severe", (), "severe RV dilatation"),
    ],
    "Moderately dilated LV and severely reduced function.": [
        ("lv_dilation", "present", "moderate", (), "Moderately dilated LV"),
        ("lv_dysfunction", "present", "severe", (), "severely reduced function"),
    ],
    "LGE of the septum, not of the lateral wall.": [
        ("lge", "present", "", ("septal",), "LGE of the septum")
    ],
    "Equivocal mid-wall enhancement.": [
        ("lge", "uncertain", "", (), "Equivocal mid-wall enhancement"),
        ("nonischemic_lge", "uncertain", "", (), "Equivocal mid-wall enhancement"),
    ],
    "RV dilated, EF 35 %.": [
        ("rv_dilation", "present", "", (), "RV dilated"),
        ("rv_dysfunction", "present", "", (), "EF 35 %"),
    ],
    "LGE of the septum sparing the apex.": [("lge", "present", "", ("septal",), "LGE of the septum sparing the apex")],
    "LGE of the lateral wall, stent in the LAD.": [("lge", "present", "", ("lateral",), "LGE of the lateral wall")],
    "Anterolateral, inferolateral and septal LGE.": [
        ("lge", "present", "", ("anterolateral", "inferolateral", "septal"), "inferolateral and septal LGE")
    ],
    "LGE in the inferior wall and severe MR.": [
        ("lge", "present", "", ("inferior",), "LGE in the inferior wall and severe MR"),
        ("mitral_regurgitation", "present", "severe", (), "LGE in the inferior wall and severe MR"),
    ],
    "Trivial TR, LA moderately dilated, no thrombus.": [
        ("la_dilation", "present", "moderate", (), "LA moderately dilated"),
        ("tricuspid_regurgitation", "present", "trivial", (), "Trivial TR"),
        ("thrombus", "absent", "", (), "no thrombus"),
    ],
    "Akinesis of the apex, possible pericarditis.": [
        ("regional_wall_motion", "present", "", ("apical",), "Akinesis of the apex"),
        ("pericarditis", "uncertain", "", (), "possible pericarditis"),
    ],
    "T1 1165 ms (normal 950-1030), T2 normal.": [
        ("t1_high", "present", "", (), "T1 1165 ms (normal 950-1030), T2 normal."),
        ("t2_high", "absent", "", (), "T2 normal"),
    ],
    "Mild-moderate LV dilatation.": [
        ("lv_dilation", "present", "mild to moderate", (), "Mild-moderate LV dilatation")
    ],
    "Family history of HCM.": [],
}  # fmt: skip


@pytest.mark.parametrize("sentence", STATED)
def test_statements_have_state_grade_place_and_words(sentence):
    found = [
        (s.finding, s.state.value, s.grade, s.places, s.words(sentence))
        for s in statements.read(sentence)
    ]
    assert found == STATED[sentence]


def test_a_normal_study_states_the_absence_of_everything():
    found = statements.read("Normal CMR study.")
    assert {s.state for s in found} == {statements.State.ABSENT}
    assert [s.finding for s in found] == list(findings.FINDINGS)


SLIPS = {
    "Pericardial efusion.": {"pericardial_effusion": True},
    "Hypertrohy of the septum.": {"lv_hypertrophy": True},
    "LV is dialted.": {"lv_dilation": True},
    "No late gadolinum enhancement.": {"lge": False, "infarct": False, "nonischemic_lge": False},
    "Diluted contrast, literal view.": {},
    "The patient is deceased.": {},
}


@pytest.mark.parametrize("sentence", SLIPS)
def test_typing_errors_are_read_as_the_word_that_was_meant(sentence):
    assert findings.said(sentence) == SLIPS[sentence]


def test_a_word_that_is_added_to_the_lexicon_is_read(monkeypatch):
    assert all(letters.pattern for letters in findings._OF_KIND.values())
    monkeypatch.setattr(lexicon, "entries", lambda name: ["voluminous", "dilated"])
    assert findings._letters(findings.LARGE).search("voluminous")


def test_words_that_are_spelled_right_stay():
    for word in lexicon.spelled().words | lexicon.spelled().others:
        assert spelling.corrected(word) == word


FIXTURES = pathlib.Path(__file__).parent / "fixtures"


def _rows(*names: str) -> list[dict]:
    return [
        json.loads(x) for n in names for x in (FIXTURES / f"{n}.jsonl").read_text().splitlines()
    ]


def test_labelled_reports_are_read_as_their_author_meant_them():
    """Composed and labelled before the rules were seen; then the rules were mended on them."""
    counts = {name: collections.Counter() for name in findings.FINDINGS}
    reversed_, measured, hedges = [], collections.Counter(), collections.Counter()
    for row in _rows("labelled_reports", "labelled_impressions", "labelled_captions"):
        found = reader.read(row["text"])
        reader.count(row, found, counts)
        for name in findings.FINDINGS:
            said = found.get(name, "not mentioned")
            opposite = {"present": "absent", "absent": "present"}.get(said, "none")
            if row["labels"].get(name) == opposite and said not in row["accept"].get(name, ()):
                reversed_.append(row["id"])
        hedges.update(
            found.get(n) for n in findings.FINDINGS if row["labels"].get(n) == "uncertain"
        )
        measured += reader.count_numbers(row, reader.all_numbers(row["text"]))
    total = sum(counts.values(), collections.Counter())
    for state in ("present", "absent"):
        hit, false, missed = (total[f"{kind} {state}"] for kind in ("hit", "false", "missed"))
        assert 2 * hit / (2 * hit + false + missed) > 0.96, state
    # "effusion drained last month, none today"; late enhancement "of both layers" of the pericardium
    assert set(reversed_) <= {"t095", "d1-007"}, reversed_
    stated = measured["right"] + measured["wrong"] + measured["missed"]
    assert measured["right"] > 0.97 * stated, measured
    assert hedges["uncertain"] > 0.85 * hedges.total(), hedges


def test_labelled_concepts_are_read_as_their_author_meant_them():
    """Composed and labelled before the rules were seen; then the rules were mended on them."""
    counts = {name: collections.Counter() for name in lexicon.concepts()}
    reversed_, numbers_ = [], collections.Counter()
    for row in _rows("labelled_concepts", "labelled_impressions"):
        found = reader.read(row["text"])
        reader.count(row, found, counts)
        numbers_ += reader.count_numbers(
            row, reader.all_numbers(row["text"]) if "numbers" in row else {}
        )
        for name in counts:
            pair = {row["labels"].get(name), found.get(name)}
            if pair == {"present", "absent"} and found[name] not in row["accept"].get(name, ()):
                reversed_.append((row["id"], name))
    total = sum(counts.values(), collections.Counter())
    for state in ("present", "absent"):
        hit, false, missed = (total[f"{kind} {state}"] for kind in ("hit", "false", "missed"))
        assert 2 * hit / (2 * hit + false + missed) > 0.96, state
    assert all(c["hit present"] > 1 for c in counts.values())
    assert len(reversed_) < 8, reversed_  # "in contrast to the first scan, with edema"
    assert numbers_["right"] > 0.98 * (numbers_["right"] + numbers_["wrong"] + numbers_["missed"])


@pytest.mark.parametrize("row", _rows("hostile_sentences"), ids=lambda row: row["text"])
def test_sentences_that_once_were_read_wrongly(row):
    """Found by a reviewer who looked for reversals, values of others and lost denials."""
    found = {s.finding: s.state.value for s in statements.read(row["text"])}
    assert found == row["states"]
    assert numbers.stated([row["text"]]) == row["numbers"]


@pytest.mark.parametrize(
    "text",
    ["mitral, " * 240, "T1 " * 600, "(" * 1999, "LGE, " * 30_000, " " * 100_000, "", "\x00é"],
)
def test_odd_texts_are_read_at_once(text):
    statements.read(text)
    numbers.stated([text])


def test_what_is_too_long_for_a_sentence_is_not_understood():
    assert normal("LV dilated, " * 200).startswith(NOT_UNDERSTOOD)
    assert findings.said("LV dilated, " * 200) == {}
    assert statements.read("LV dilated, " * 200) == []


def test_labelled_numbers_are_read():
    counts = collections.Counter()
    for row in _rows("labelled_numbers"):
        counts += reader.count_numbers(row, reader.all_numbers(row["text"]))
    assert counts["right"] > 0.98 * (counts["right"] + counts["wrong"] + counts["missed"])
    assert counts["invented"] == 0, counts


INJECTED = {  # a report, and the same with one error in it
    "LV dilated, EF 30 %, no LGE.": "LV not dilated, EF 30 %, no LGE.",
    "No effusion, RV enlarged.": "No effusion, LV enlarged.",
    "LVEF 35 %. RVEF 55 %.": "LVEF 35 %. RVEF 35 %.",
    "Subendocardial LGE in the inferior wall.": "Subepicardial LGE in the inferior wall.",
    "LGE of the septum, pericardial effusion.": "LGE of the septum.",
    "Findings of cardiac amyloidosis.": "Findings suspicious for cardiac amyloidosis.",
    "Septum 19 mm.": "Septum 9 mm.",
    "Dilated aortic root.": "Dilated left atrium.",
    "Mildly reduced LV function.": "Severely reduced LV function.",
    "Transmural LGE, LAD territory.": "Transmural LGE, RCA territory.",
    "LGE of the inferior wall.": "LGE of the anterior wall.",
    "HCM not excluded.": "Mother with HCM.",
}


@pytest.mark.parametrize("report", INJECTED)
def test_an_error_in_a_report_changes_what_is_read(report):
    def details(text):
        return [s[:4] for s in statements.read(text)]

    assert details(report) != details(INJECTED[report])


def test_the_reading_of_a_sentence_is_explained():
    shown = explained("No effusion, HCM not excluded, EF 30 %.")
    assert "no[ effusion]" in shown
    assert "{ hcm not excluded}" in shown or "{hcm not excluded}" in shown
    assert "pericardial_effusion absent ('No effusion')" in shown
    assert "hcm uncertain ('HCM not excluded')" in shown
    assert "<mother with hcm>" in explained("Mother with HCM")
    assert "lv_ef_percent 30" in shown


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
    "prior MI, no scar elsewhere": "+infarct",
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
    assert findings.said(plain.reported(question)) == labels(QUESTIONS[question])


@pytest.mark.parametrize("sentence", SENTENCES)
def test_what_reports_say_is_still_said(sentence):
    assert findings.said(plain.reported(sentence)) == labels(SENTENCES[sentence])


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
        ("LVEF: 60.4%.", {"lv_ef_percent": 60.4}),
        ("LVEF 45,5 %.", {"lv_ef_percent": 45.5}),
        ("EF 0.6.", {"lv_ef_percent": 60}),
        ("45.5 % LVEF.", {"lv_ef_percent": 45.5}),
        ("2. LVEF 45 %.", {"lv_ef_percent": 45}),
        ("LVEF (normal >55%) 42%.", {"lv_ef_percent": 42}),
        ("The right ventricle is dilated with ejection fraction 38%.", {"rv_ef_percent": 38}),
        ("RV normal, EF 33 %.", {"lv_ef_percent": 33}),
        ("Septal scar 15 mm.", {}),
        ("EF 28.", {"lv_ef_percent": 28}),
        ("EF 35\u201340 %", {"lv_ef_percent": 37.5}),
        ("LVEF dropped from 55% to 35%.", {"lv_ef_percent": 35}),
        ("LVEF now 61% (was 40%).", {"lv_ef_percent": 61}),
        ("A 55% left ventricular ejection fraction.", {"lv_ef_percent": 55}),
        ("RV: EDVi 95, EF 54%.", {"rv_ef_percent": 54, "rv_edvi_ml_m2": 95}),
        ("LVEDV 320 mL.", {"lv_edv_ml": 320}),
        ("LV dilated (EDV 212 ml, 118 ml/m2).", {"lv_edv_ml": 212, "lv_edvi_ml_m2": 118}),
        ("RV dilated (EDV 212 ml).", {"rv_edv_ml": 212}),
        ("LVEDV / LVESV: 143 / 55 ml.", {"lv_edv_ml": 143, "lv_esv_ml": 55}),
        ("LVEDV 240 ml previously, now 210 ml.", {"lv_edv_ml": 210}),
        ("LVEDVI of 89 mL per square meter.", {"lv_edvi_ml_m2": 89}),
        (
            "LVEDVi | 74 | 60-95 ml/m2 || LVEF | 66 | 57-75 %",
            {"lv_edvi_ml_m2": 74, "lv_ef_percent": 66},
        ),
        ("LA volume 98 ml, LA EF 31 %.", {}),
        ("LGE in 22% of LV mass (29 g); total LV mass 134 g.", {"lv_mass_g": 134}),
        ("LV mass index 112 g/m2, body mass index 28.", {"lv_massi_g_m2": 112}),
        (
            "Native T1 1180 ms (1.5 T, normal 970-1030), ECV 0.52.",
            {"t1_ms": 1180, "ecv_percent": 52},
        ),
        ("Post-contrast T1 450 ms, liver T2* 4 ms.", {}),
        ("Myocardial T2* 8 ms, T2 62 ms.", {"t2star_ms": 8, "t2_ms": 62}),
        ("LVEF 45 ± 3 %, T1 1080 +/- 40 ms.", {"lv_ef_percent": 45, "t1_ms": 1080}),
        ("LVEF (baseline 35 %) 50 %.", {"lv_ef_percent": 50}),
        ("LVEF/RVEF 62/58 %.", {"lv_ef_percent": 62, "rv_ef_percent": 58}),
        ("Sinus 41 x 40 mm, ascending aorta 43 mm, descending aorta 24 mm.", {"aorta_mm": 43}),
        ("Pericardial fluid up to 1.5 cm, pleural effusion 35 mm.", {"effusion_mm": 15}),
        ("EDVi of the LV 98 ml/m2.", {"lv_edvi_ml_m2": 98}),
        ("EF was 25 % in 2019, now 55 %.", {"lv_ef_percent": 55}),
        ("RVEF 30 %, now 45 %.", {"rv_ef_percent": 45}),
        ("EF 55 %, RVEF now 40 %.", {"lv_ef_percent": 55, "rv_ef_percent": 40}),
        ("Posterior wall 1.3 cm and septal wall 12 mm.", {"lv_wall_mm": 13}),
        ("Pericardium 6 mm thick with septal bounce.", {}),
    ],
)
def test_numbers_are_read_with_their_units(sentence, expected):
    assert numbers.stated([sentence]) == expected


def test_a_heading_holds_until_a_ventricle_is_named():
    found = numbers.stated(["RV: not dilated.", "EDV 139 ml, EF 59 %.", "LV normal.", "EF 61 %."])
    assert found == {"rv_edv_ml": 139, "rv_ef_percent": 59, "lv_ef_percent": 61}


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
