"""Fixed benchmarks of the phantom: named, versioned, the same for everybody.

`v1` is a hospital with 2,000 patients to train on, 300 to choose by and 600 to be tested on
(`phantom:v1`), and 400 patients of another (`phantom:v1-elsewhere`): a vendor that the first does
not have, more noise, finer pixels, thinner slices, other diseases.  As in life, two exams of five
lack a view or all late enhancement, and most normal hearts are read in the same few words.  What is
true of an exam (`labels.csv`) is for evaluation alone.

Nothing of it is stored: exams are made anew from the name, and `fingerprints` says whether they are
those that they have always been.  A change of the phantom that changes one of them needs another
name, and every result anew.
"""

import concurrent.futures
import hashlib
import json
import pathlib
from collections.abc import Iterator
from typing import NamedTuple

from data_prep.phantom.protocol import PROFILES, profile
from data_prep.phantom.study import Study

BENCHMARKS = {"v1": ("v1", "v1-elsewhere")}
BLOCK = 20  # exams of a fingerprint
STACKS = 8  # cine and late enhancement of four views
FILES = pathlib.Path(__file__).parent


class Fingerprint(NamedTuple):
    """Of the exams `first` to `first + BLOCK` of a profile: hashes of what is said (reports, truth,
    headers), and of pixels, whose last bit may follow a processor's arithmetic."""

    profile: str
    first: int
    words: str
    pictures: str


def fingerprint(name: str, first: int) -> Fingerprint:
    """Made anew."""
    words, pictures = hashlib.sha256(), hashlib.sha256()
    chosen = profile(name)
    for index in range(first, min(first + BLOCK, chosen.exams)):
        study = Study(chosen, index)
        truth = study.truth
        told: list = [study.keys, study.report_text, chosen.split_of(index)]
        told += [{k: bool(v) for k, v in truth.findings.items()}]
        told += [{k: f"{v:.1f}" for k, v in truth.measurements.items()}]
        words.update(json.dumps(told, sort_keys=True).encode())
        # A file is its header as it is without pixels, and then those.
        for _, header, _ in study.files(pixels=False):
            words.update(header)
        for _, file, _ in study.files():
            pictures.update(file)
    return Fingerprint(name, first, words.hexdigest()[:16], pictures.hexdigest()[:16])


def fingerprints(benchmark: str) -> list[Fingerprint]:
    """As they were when the benchmark was made."""
    lines = (FILES / f"benchmark_{benchmark}.txt").read_text().splitlines()
    rows = (line.split() for line in lines if not line.startswith("#"))
    return [Fingerprint(name, int(first), *hashes) for name, first, *hashes in rows]


def made_anew(benchmark: str, workers: int | None = None) -> Iterator[Fingerprint]:
    """Every block, in order, on all processors; some minutes."""
    blocks = [
        (name, first)
        for name in BENCHMARKS[benchmark]
        for first in range(0, PROFILES[name].exams, BLOCK)
    ]
    with concurrent.futures.ProcessPoolExecutor(workers) as pool:
        yield from pool.map(fingerprint, *zip(*blocks, strict=True))


def difference(expected: Fingerprint, found: Fingerprint) -> str:
    """What is not the same of a block, for a person; "" where nothing is."""
    exams = f"{found.profile}, exams {found.first} to {found.first + BLOCK - 1}"
    if expected.words != found.words:
        return f"{exams}: reports, truth or headers are not those of this benchmark"
    if expected.pictures != found.pictures:
        return f"{exams}: pixels differ; if they do everywhere, so does this processor's last bit"
    return ""


def described(name: str) -> str:
    """Who is in it: exams by split, how many of them have everything, and every finding."""
    chosen = profile(name)
    studies = [Study(chosen, index) for index in range(chosen.exams)]
    lines = []
    for split, exams in chosen.splits:
        own = [s for s in studies if chosen.split_of(s.index) == split]
        whole = sum(len(s.scans) == STACKS for s in own)
        plain = sum(not s.has_contrast for s in own)
        lines.append(
            f"{name} {split}: {exams} patients, {whole} with all {STACKS} stacks, {plain} without "
            "contrast"
        )
        found = [s.truth.findings for s in own]
        lines += [f"   {sum(f[k] for f in found) / len(own):4.0%}  {k}" for k in found[0]]
    return "\n".join(lines)
