"""One data set under evaluation: what is measured of it, part by part."""

import dataclasses
import functools
from typing import Any

import numpy as np

from cmr_jax.data.source import Exam
from cmr_jax.data.texts import group_of
from cmr_jax.evals import answering, labels, protocol, retrieval, zero_shot
from cmr_jax.evals.cohort import Cohort
from cmr_jax.evals.trust import missing, subgroups
from cmr_jax.evals.zero_shot import Asked, EmbedTexts, Wordings


@dataclasses.dataclass
class Study:
    """A cohort with what is known of it so far: `block` for results.json, `columns` of every exam for
    scores.parquet."""

    cohort: Cohort
    wordings: dict[str, Wordings]
    block: dict[str, Any] = dataclasses.field(default_factory=dict)
    columns: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, cohort: Cohort, asked: Asked) -> "Study":
        """Nothing is measured yet."""
        return cls(cohort, asked.wordings(cohort.video))

    @functools.cached_property
    def scores(self) -> dict[str, np.ndarray]:
        """Of every exam for every question."""
        return {finding: w.score for finding, w in self.wordings.items()}

    @property
    def findings(self) -> list[str]:
        """Those with enough exams to be told of."""
        return list(self.block["zero_shot"]["findings"])

    def describe(self) -> None:
        """Who is in it, and what of them is there."""
        c = self.cohort
        self.block |= {
            "split": c.split,
            "n_patients": c.patients,
            "n_exams": len(c),
            "n_reports": len(c.paired),
            "exams_without_labels": c.labels.unlabelled,
            "unreadable_labels": c.labels.unreadable,
            "share_with": missing.present(c.exams),
            "alike": {"exams": _alike(c.video), "reports": _alike(c.text[self._distinct()])},
        }
        groups = subgroups.of_exams(c.exams)
        self.block["exams_by"] = {
            name: dict(zip(*(x.tolist() for x in np.unique(g, return_counts=True)), strict=True))
            for name, g in groups.items()
        }
        self.columns |= groups

    def _distinct(self) -> np.ndarray:
        """Rows of the exams whose impressions differ: many may say the same, and rightly."""
        first = {self.cohort.exams[row].impression: row for row in self.cohort.paired[::-1]}
        return np.array(sorted(first.values()), int)

    def retrieve(self) -> None:
        """Reports and exams find each other."""
        c, rows = self.cohort, self.cohort.paired
        if not len(rows):
            return
        pairs = c.video[rows], c.text[rows], c.resamples.of(rows)
        self.block["retrieval"], ranks = retrieval.evaluate(*pairs)
        groups = alike(c.exams, c.labels)
        self.block["retrieval_of_alike"] = {
            name: retrieval.evaluate(*pairs, group[rows])[0] for name, group in groups.items()
        }
        if "same_labels" in groups:
            self.block["labels_alone"] = retrieval.by_group_alone(groups["same_labels"][rows])
        for key, rank in ranks.items():
            self.columns[key] = np.full(len(c), np.nan)
            self.columns[key][rows] = rank

    def ask(self, asked: Asked) -> None:
        """Findings from words alone, and how much it matters which."""
        c, truth = self.cohort, self.cohort.labels.findings
        self.block["zero_shot"] = zero_shot.evaluate([self.scores], truth, c.resamples)
        for name, block in self.block["zero_shot"]["findings"].items():
            block["wordings"] = zero_shot.sensitivity(
                self.wordings[name], truth[name], asked.questions[name]
            )

    def answer(self, known: "Study", scale: float | None) -> None:
        """Yes, no, a probability, or none, as the exams of another split say."""
        blocks, columns = answering.evaluate(
            known.cohort, known.scores, self.cohort, self.scores, scale
        )
        self.columns |= columns
        for name, block in blocks.items():
            self.block["zero_shot"]["findings"][name] |= block
        self.block["calibrated_on"] = {
            "data": known.cohort.name,
            "split": known.cohort.split,
            "n_exams": len(known.cohort),
            "findings": list(blocks),
        }

    def tell(self) -> None:
        """Findings by the model's own head, which learned from labels or from what reports state."""
        if self.cohort.head:
            found = zero_shot.evaluate(
                [self.cohort.head], self.cohort.labels.findings, self.cohort.resamples
            )
            self.block.setdefault("supervised", {})["head"] = found
            self.columns |= {f"head_{f}": s for f, s in self.cohort.head.items()}

    def by_protocols(self, names: tuple[str, ...], embed_texts: EmbedTexts) -> None:
        """The paper's tables."""
        c = self.cohort
        if names and len(c.paired):
            given = (c.video, c.text, c.paired, c.resamples.patient, c.labels.findings, embed_texts)
            self.block["protocols"] = {
                name: protocol.evaluate(protocol.PROTOCOLS[name], *given) for name in names
            }

    def by_group(self, seed: int) -> None:
        """For whom."""
        told = {f: self.scores[f] for f in self.findings}
        self.block["subgroups"] = subgroups.evaluate(self.cohort, told, seed)


def _alike(embedded: np.ndarray) -> float:
    """Mean cosine between different rows of unit length; 1 of a model that says the same of all."""
    n = len(embedded)
    if n < 2:
        return float("nan")
    return float((np.square(embedded.sum(0)).sum() - n) / (n * (n - 1)))


def alike(exams: list[Exam], known: labels.Labels) -> dict[str, np.ndarray]:
    """Ways in which exams are each other's answer: most normal hearts read alike."""
    groups = {"same_words": np.array([group_of(e.impression) for e in exams])}
    if known.findings:
        vectors = np.stack(list(known.findings.values()), 1)
        same = np.unique(np.nan_to_num(vectors, nan=-1), axis=0, return_inverse=True)[1].ravel()
        # Of exams that nobody labelled it is not known that they are alike.
        lone = np.isnan(vectors).all(1)
        same[lone] = same.max() + 1 + np.arange(lone.sum())
        groups["same_labels"] = same
    return groups
