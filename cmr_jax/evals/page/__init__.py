"""The page of an evaluation: one file, nothing loaded from elsewhere, every foreign text escaped."""

import string
from typing import Any

import numpy as np

from cmr_jax import metrics
from cmr_jax.data.source import ExamSource
from cmr_jax.embedding import Model
from cmr_jax.evals.page import cases, hearts, markup, sections
from cmr_jax.evals.page.summary import summary
from cmr_jax.evals.study import Study

# What a visitor sees found.
QUERIES = (
    "Severely reduced left ventricular systolic function, dilated left ventricle.",
    "Asymmetric septal hypertrophy, hypertrophic cardiomyopathy.",
    "Large circumferential pericardial effusion.",
    "Diffuse late gadolinium enhancement, cardiac amyloidosis.",
    "Normal biventricular size and systolic function.",
)
SHOWN_PER_QUERY = 3

PAGE = string.Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>cmr_jax evaluation</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; color: #1b2733; max-width: 66rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { margin-top: 2.5rem; border-bottom: 1px solid #d6dde3 } h3 { margin: 1.2rem 0 .4rem }
.wide { overflow-x: auto } table { border-collapse: collapse; margin: .8rem 0; font-size: .85rem }
caption { text-align: left; color: #55636f; padding-bottom: .3rem }
th, td { padding: .25rem .6rem; text-align: right } td { white-space: nowrap }
thead th { border-bottom: 1px solid #d6dde3 }
th:first-child, td:first-child { text-align: left } tr:nth-child(even) { background: #f3f6f8 }
.summary { width: 100%; font-size: 1rem } .summary td { white-space: normal }
.summary th, .summary td { text-align: left; vertical-align: top; padding: .5rem .7rem }
.summary th:first-child { white-space: nowrap }
.verdict { list-style: none; padding: 0 } .verdict li { padding: .2rem 0 .2rem 1.2rem; position: relative }
.verdict li::before { content: ''; position: absolute; left: 0; top: .7em; width: .7rem; height: .7rem;
 border-radius: 50%; background: var(--dot) }
.note { color: #55636f; font-weight: normal } .plot { max-width: 100%; vertical-align: top }
details { border-top: 1px solid #e4e9ed; padding: .3rem 0 }
summary { cursor: pointer; font-weight: 600; padding: .3rem 0 }
.found { display: grid; grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)); gap: 1rem }
.found figure { margin: 0; background: #f3f6f8; border-radius: 6px; overflow: hidden }
.found img { width: 100%; background: #000; display: block }
figcaption { padding: .5rem .7rem; font-size: .85rem; white-space: pre-wrap; overflow-wrap: anywhere }
</style></head><body>
<h1>What this model is worth</h1>
<p class="note">$meta</p>
$summary
$sections
<p class="note">Research software. Not a medical device.</p>
</body></html>
""")


def page(meta: dict[str, Any], studies: list[Study], model: Model) -> str:
    """The whole page."""
    facts = ", ".join(f"{markup.name(k)} {v}" for k, v in meta.items())
    told = metrics.normalise(model.texts(list(QUERIES)))
    return PAGE.substitute(
        meta=markup.text(facts),
        summary=summary({s.cohort.name: s.block for s in studies}),
        sections="\n".join(_section(study, told) for study in studies),
    )


def _section(study: Study, queries: np.ndarray) -> str:
    c = study.cohort
    source = ExamSource(c.path, c.split)
    shown = [
        _gallery(source, study, kind, [(case.row, case.said) for case in found])
        for kind, found in cases.choose(study).items()
    ]
    found = []
    for query, row in zip(QUERIES, queries @ c.video.T, strict=True):
        best = np.argsort(-row, kind="stable")[:SHOWN_PER_QUERY]
        near = [(int(i), f"cosine {row[i]:+.2f}") for i in best]
        found.append(_gallery(source, study, f"Nearest to “{query}”", near))
    return "\n".join(
        [
            f"<h2>{markup.text(c.name)}</h2>",
            *sections.good(study),
            markup.part("Hearts: right, wrong, and unsure", *shown, opened=True),
            *sections.more(study),
            markup.part("Hearts that words find", *found),
        ]
    )


def _gallery(source: ExamSource, study: Study, title: str, rows: list[tuple[int, str]]) -> str:
    figures = []
    for row, said in rows:
        exam = study.cohort.exams[row]
        moving = hearts.heart(source, exam)
        shown = f'<img alt="moving heart" src="{moving}">' if moving else ""
        words = markup.text(f"{exam.exam_id}\n{said}\n{exam.impression}")
        figures.append(f"<figure>{shown}<figcaption>{words}</figcaption></figure>")
    return f"<h3>{markup.text(title)}</h3><div class='found'>{''.join(figures)}</div>"
