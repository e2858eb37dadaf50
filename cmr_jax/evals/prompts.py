"""Sentences that say a finding is there, and that it is not.

Names are columns of labels.csv.  Wording follows common report language; nothing here was tuned
on labels.
"""

from typing import NamedTuple


class Prompts(NamedTuple):
    """Several wordings of each side; their embeddings are averaged."""

    present: tuple[str, ...]
    absent: tuple[str, ...]


NO_LGE = (
    "No late gadolinium enhancement.",
    "No evidence of LGE.",
    "Absence of delayed enhancement.",
)

PROMPTS: dict[str, Prompts] = {
    "lv_dilation": Prompts(
        ("Dilated left ventricle.", "The left ventricle is enlarged.", "Moderately dilated LV."),
        ("Left ventricle is normal in size.", "LV is not dilated.", "Normal LV size."),
    ),
    "lv_dysfunction": Prompts(
        ("Reduced left ventricular systolic function.", "Severely decreased LV systolic function."),
        ("Normal left ventricular systolic function.", "Preserved LV systolic function."),
    ),
    "lv_hypertrophy": Prompts(
        (
            "Left ventricular hypertrophy.",
            "Concentric LV hypertrophy.",
            "Increased LV wall thickness.",
        ),
        ("No LV hypertrophy.", "No evidence of LV hypertrophy."),
    ),
    "rv_dilation": Prompts(
        ("Dilated right ventricle.", "Enlarged RV.", "Moderately dilated RV."),
        ("Right ventricle is normal in size and function.", "Normal RV size and function."),
    ),
    "rv_dysfunction": Prompts(
        (
            "Reduced right ventricular systolic function.",
            "Severely decreased RV systolic function.",
        ),
        ("Right ventricle is normal in size and function.", "Normal RV size and function."),
    ),
    "aortic_dilation": Prompts(
        ("Dilated aortic root.", "Mildly dilated aortic root.", "Ectatic aortic root."),
        ("Aortic root is not dilated.", "Normal caliber aortic root.", "Aorta normal in caliber."),
    ),
    "pericardial_effusion": Prompts(
        (
            "Pericardial effusion.",
            "Moderate pericardial effusion.",
            "Large circumferential pericardial effusion.",
        ),
        ("No pericardial effusion.",),
    ),
    "lge": Prompts(
        (
            "Late gadolinium enhancement in the anterior wall.",
            "Mid-wall late gadolinium enhancement.",
            "Diffuse late gadolinium enhancement.",
            "Patchy LGE.",
            "Subendocardial LGE.",
        ),
        NO_LGE,
    ),
    "infarct": Prompts(
        (
            "Subendocardial late gadolinium enhancement consistent with prior myocardial infarction.",
            "Transmural LGE in the inferior wall, prior infarct.",
            "Ischemic cardiomyopathy.",
        ),
        NO_LGE,
    ),
    "nonischemic_lge": Prompts(
        (
            "Mid-wall septal late gadolinium enhancement in a nonischemic pattern.",
            "Patchy mid-myocardial LGE at the RV insertion points, nonischemic pattern.",
        ),
        NO_LGE,
    ),
    "amyloidosis": Prompts(
        (
            "Diffuse late gadolinium enhancement, typical of cardiac amyloidosis.",
            "Global subendocardial LGE with abnormal nulling, cardiac amyloid.",
        ),
        NO_LGE,
    ),
    "hcm": Prompts(
        (
            "Hypertrophic cardiomyopathy.",
            "Asymmetric septal hypertrophy, phenotype of hypertrophic cardiomyopathy.",
        ),
        ("No LV hypertrophy.", "No evidence of LV hypertrophy."),
    ),
    "dcm": Prompts(
        ("Dilated cardiomyopathy.", "Nonischemic cardiomyopathy."),
        ("Normal left ventricular size.", "Normal left ventricular systolic function."),
    ),
}
