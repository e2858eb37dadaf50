"""Sentences that say a finding is there, and that it is not.

Names are columns of labels.csv.  Wording follows common report language, each grade and each usual
word once; nothing here was chosen by results.
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
NO_HYPERTROPHY = (
    "No LV hypertrophy.",
    "No evidence of LV hypertrophy.",
    "Normal LV wall thickness.",
)
NORMAL_RV = ("Right ventricle is normal in size and function.", "Normal RV size and function.")

PROMPTS: dict[str, Prompts] = {
    "lv_dilation": Prompts(
        (
            "Dilated left ventricle.",
            "The left ventricle is enlarged.",
            "Mildly dilated left ventricle.",
            "Moderately dilated LV.",
            "Severely dilated LV.",
        ),
        (
            "Left ventricle is normal in size.",
            "LV is not dilated.",
            "Normal LV size.",
            "Normal left ventricular size.",
        ),
    ),
    "lv_dysfunction": Prompts(
        (
            "Reduced left ventricular systolic function.",
            "Depressed global LV systolic function.",
            "Mildly reduced LV systolic function.",
            "Moderately decreased left ventricular systolic function.",
            "Severely impaired LV systolic function.",
        ),
        (
            "Normal left ventricular systolic function.",
            "Preserved left ventricular systolic function.",
            "Normal LV systolic function.",
            "Preserved LV systolic function.",
        ),
    ),
    "lv_hypertrophy": Prompts(
        (
            "Left ventricular hypertrophy.",
            "Concentric LV hypertrophy.",
            "Asymmetric septal hypertrophy.",
            "Increased LV wall thickness.",
        ),
        NO_HYPERTROPHY,
    ),
    "rv_dilation": Prompts(
        (
            "Dilated right ventricle.",
            "Enlarged RV.",
            "Mildly dilated right ventricle.",
            "Moderately dilated RV.",
            "Severely dilated RV.",
        ),
        NORMAL_RV,
    ),
    "rv_dysfunction": Prompts(
        (
            "Reduced right ventricular systolic function.",
            "Mildly reduced RV systolic function.",
            "Moderately decreased right ventricular systolic function.",
            "Severely impaired RV systolic function.",
        ),
        (*NORMAL_RV, "Preserved right ventricular systolic function."),
    ),
    "aortic_dilation": Prompts(
        (
            "Dilated aortic root.",
            "Enlarged aortic root.",
            "Ectatic aortic root.",
            "Mildly dilated aortic root.",
            "Moderately dilated aortic root.",
        ),
        ("Aortic root is not dilated.", "Normal caliber aortic root.", "Aorta normal in caliber."),
    ),
    "pericardial_effusion": Prompts(
        (
            "Pericardial effusion.",
            "Small pericardial effusion.",
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
            "Transmural delayed enhancement.",
            "Patchy LGE.",
            "Subendocardial LGE.",
        ),
        NO_LGE,
    ),
    "infarct": Prompts(
        (
            "Subendocardial late gadolinium enhancement consistent with prior myocardial infarction.",
            "Transmural LGE in the inferior wall, prior infarct.",
            "Subendocardial LGE in the anterior wall, LAD territory.",
            "Akinesis of the inferior wall.",
            "Hypokinesis of the lateral wall.",
            "Ischemic cardiomyopathy.",
        ),
        NO_LGE,
    ),
    "nonischemic_lge": Prompts(
        (
            "Mid-wall septal late gadolinium enhancement in a nonischemic pattern.",
            "Patchy mid-myocardial LGE at the RV insertion points, nonischemic pattern.",
            "Linear mid-myocardial septal fibrosis.",
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
        NO_HYPERTROPHY,
    ),
    "dcm": Prompts(
        ("Dilated cardiomyopathy.", "Nonischemic cardiomyopathy."),
        ("Normal left ventricular size.", "Normal left ventricular systolic function."),
    ),
}


# The published zero-shot prompts (Makiya11/CMRCLIP at 4dd42e8, comparison/prompt.py, MIT), under the
# names that labels.csv has for their findings.
PUBLISHED_PROMPTS: dict[str, tuple[str, ...]] = {
    "lv_dysfunction": ("Left ventricle with systolic dysfunction",),
    "rv_dysfunction": ("Right ventricle with systolic dysfunction",),
    "lv_dilation": ("Left ventricle is dilated", "Left ventricle is enlarged in size"),
    "rv_dilation": ("Right ventricle is dilated", "Right ventricle is enlarged in size"),
    "lv_hypertrophy": (
        "There is left ventricular hypertrophy",
        "There is septal hypertrophy",
        "LV is thickened",
    ),
    "lge": (
        "Delayed-enhancement imaging reveals transmural enhancement",
        "Delayed-enhancement imaging reveals patchy enhancement",
        "There is a large area of LAD scar",
    ),
    "aortic_dilation": (
        "Aortic root is ectatic",
        "Ascending aortic is dilated",
        "Descending aorta is dilated",
    ),
}
