"""The list of what was not used: by pseudonym in the output, true paths in a private file beside it.

A detail may have come near a header, so nothing of it is believed: only numbers, standard UIDs,
attribute keywords, names of errors and words of this program pass.
"""

import csv
import os
import pathlib
import re

from pydicom import config
from pydicom.datadict import keyword_dict
from pydicom.uid import UID

from data_prep.deid.pseudonym import Pseudonyms
from data_prep.qc.account import Account
from data_prep.read.reject import Reject, Why

FILE = "rejects.csv"
COLUMNS = ("level", "id", "outcome", "reason", "detail", "count", "what_to_do")
WITHHELD = "[withheld]"
STANDARD_UIDS = "1.2.840.10008."  # of DICOM itself; any other may identify whoever made it
LONGEST_DETAIL = 160
TOKEN = re.compile(r"[\w.]*\w|.", re.DOTALL)
PUNCTUATION = frozenset(" ,.:;()/-")
# Longer numbers may be dates or record numbers.
NUMBER = re.compile(r"\d{1,5}(?:\.\d{1,3})?", re.ASCII)
ERROR = re.compile(r"(?:[A-Z][A-Za-z]{0,40})?(?:Error|Exception)|error", re.ASCII)
# Words of details, beside those of the reasons' own ways out.
DETAIL_WORDS = """
beyond colour descriptions detail encrypted f gone left mask match metadata name rest scanner since sop their
all an and another any archive archives are as at be bits both by byte bytes can class classic
column columns compressed conflicting constant could count data decoded deep deg does each earlier
empty encoding end ends enhanced entries entry equal exam expected field fields file files first
fits folder format found frame frames functional group groups has have header headers holds image
in inside invalid is item items its large larger last length less level levels limit link links
long longer many member members message missing mm modality more mr ms multi negative nested no
none not number numbers object of off one only or orientation orthonormal other out outside
overlay packed path paths per phase phases photometric pixel pixels placed plane position
preliminary private range read record regular report row rows same samples second seconds section
segment segments sequence sequences series several short shorter single size slice slices smaller
spacing stack stacks status supported syntax tag tags text than that the them there these this
time times to too trailing transfer trigger two type types unequal unit units unknown unreadable
unsafe unsupported value values version volume volumes was were where which whole with without x
zero
"""
OWN_WORDS = frozenset(
    re.findall(r"[a-z]+", DETAIL_WORDS + " ".join(w.way_out.lower() for w in Why))
)
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def write(out: pathlib.Path, account: Account, pseudonyms: Pseudonyms) -> None:
    """Writes OUT/rejects.csv, and OUT.rejected_paths.tsv (0600) where something was not used."""
    rows, local = [], []
    for level, rejects in account.rejects.items():
        for r in rejects:
            name = pseudonym(r, pseudonyms)
            word = "ignored" if r.why.ignored else "rejected"
            rows.append(
                (level, name, word, r.why.name, safe_detail(r.detail), r.count, r.why.way_out)
            )
            local.append(f"{name}\t{r.why.name}\t{r.where!r}\n")
    with (out / FILE).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([cell(str(value)) for value in row] for row in sorted(rows))
    beside = paths_of(out)
    beside.unlink(missing_ok=True)
    if local:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.writelines(sorted(local))


def paths_of(out: pathlib.Path) -> pathlib.Path:
    """Where the true paths of a build's rejects lie: beside the output, not in it."""
    return out.with_name(out.name + ".rejected_paths.tsv")


def pseudonym(reject: Reject, pseudonyms: Pseudonyms) -> str:
    """The keyed name of what was not used; names that are no text (lone surrogates) have one too."""
    return pseudonyms.of("path", reject.where.encode("utf-8", "backslashreplace").decode())


def safe_detail(text: str) -> str:
    """A detail in which every word that this program would not say is withheld."""
    said = "".join(_said(token) for token in TOKEN.findall(text))
    said = re.sub(rf"{re.escape(WITHHELD)}(?:\W*{re.escape(WITHHELD)})+", WITHHELD, said)
    return " ".join(said.split())[:LONGEST_DETAIL]


def cell(text: str) -> str:
    """A cell that a spreadsheet takes for text, never for a formula (OWASP, CSV Injection)."""
    return "'" + text if text.startswith(FORMULA) else text


def _said(token: str) -> str:
    if token.startswith(STANDARD_UIDS) and (name := UID(token, config.IGNORE).name) != token:
        return f"{token} ({name})"
    known = (
        token in PUNCTUATION
        or token.lower() in OWN_WORDS
        or token in keyword_dict
        or NUMBER.fullmatch(token)
        or ERROR.fullmatch(token)
    )
    return token if known else WITHHELD
