"""Plants identifiers in every place of an export that can hold text, and searches for them.

A token is a word or number that occurs nowhere by chance.  `Plants` makes one for every place;
`leaks` finds it in any bytes as it is, reversed, by its digits alone, in base64 and in hex.
"""

import base64
import csv
import hashlib
import itertools
import pathlib
import re
from collections.abc import Iterable, Iterator

import pydicom
from pydicom._dicom_dict import DicomDictionary
from pydicom.dataset import Dataset
from pydicom.uid import UID

from data_prep.read.attributes import KEYWORDS

WORDS = {"LO": 4, "SH": 3, "ST": 6, "LT": 6, "UT": 6, "UC": 6, "PN": 4, "AE": 3}  # syllables
SYLLABLES = [a + b for a, b in itertools.product("bdfgklmnprtvz", "aeiou")]
# What decides how an exam is read keeps its value and gets a token beside it.
BESIDE = ("SeriesDescription", "ProtocolName", "Manufacturer", "ContrastBolusAgent")
PREDICATES = {"Modality", "PatientSex", "PatientAge", "LossyImageCompression"}
GROUPS = {0x0008, 0x0010, 0x0018, 0x0020, 0x0032, 0x0038, 0x0040, 0x4008}
RUN = re.compile(rb"[\w+/=^. :,-]{5,}")


class Plants:
    """Tokens by the place they were put in."""

    def __init__(self) -> None:
        self.of: dict[str, str] = {}

    def word(self, place: str, syllables: int = 4) -> str:
        """A name-like word of this place: `Zq`, then syllables."""
        digest = hashlib.sha256(place.encode()).digest()
        body = "".join(SYLLABLES[b % len(SYLLABLES)] for b in digest[:syllables])
        return self.of.setdefault(place, f"Zq{body}x{SYLLABLES[digest[-1] % 65]}")

    def digits(self, place: str, count: int = 9) -> str:
        """A number of this place."""
        number = int.from_bytes(hashlib.sha256(place.encode()).digest()[:8], "big")
        return self.of.setdefault(place, str(number % (9 * 10 ** (count - 1)) + 10 ** (count - 1)))

    def date(self, place: str) -> str:
        """A date of this place, as DICOM DA."""
        n = int(self.digits(f"{place} number"))
        del self.of[f"{place} number"]
        return self.of.setdefault(
            place, f"{1921 + n % 90}{n // 90 % 12 + 1:02}{n // 7 % 28 + 1:02}"
        )

    def value(self, place: str, vr: str) -> str | None:
        """A value of this representation that holds a token; None where none can."""
        if vr in WORDS:
            return self.word(place, WORDS[vr])
        if vr == "CS":
            return self.word(place, 3).upper()
        if vr == "DA":
            return self.date(place)
        if vr in ("TM", "DT"):
            # Six digits alone may occur in pixels: the token is the whole time.
            fraction = self.digits(place, 6)[-6:]
            self.of[place] = f"101112{fraction}"
            return ("" if vr == "TM" else "20010203") + f"101112.{fraction}"
        if vr == "UI":
            return f"1.2.826.0.1.{self.digits(place, 10)}"
        if vr in ("IS", "DS"):
            return self.digits(place)
        return "https://" + self.word(place).lower() if vr == "UR" else None


def rewrite(path: pathlib.Path, plants: Plants, exam: str) -> None:
    """Gives one file a token in every text attribute of PS3.6, in sequences, overlays, meta."""
    ds = pydicom.dcmread(path)
    for keyword in BESIDE:
        if keyword in ds:
            ds[keyword].value = f"{ds[keyword].value} {plants.word(f'{exam} {keyword}', 3)}"
    for tag, (vr, _, _, retired, keyword) in DicomDictionary.items():
        free = keyword not in KEYWORDS and keyword not in PREDICATES and not retired
        if tag >> 16 in GROUPS and free and tag not in ds:
            value = plants.value(f"{exam} {keyword}", vr)
            if value is not None:
                ds.add_new(tag, vr, value)
    for keyword in ("ReferringPhysicianName", "PerformingPhysicianName", "OperatorsName"):
        setattr(ds, keyword, plants.word(f"{exam} {keyword}"))
    ds.PatientName = f"{plants.word(f'{exam} family')}^{plants.word(f'{exam} given')}"
    ds.PatientID = plants.digits(f"{exam} id", 10)
    ds.AccessionNumber = "ACC" + plants.digits(f"{exam} accession")
    ds.PatientBirthDate = plants.date(f"{exam} birth")
    ds.InstitutionName = plants.word(f"{exam} institution") + " Hospital"
    ds.OtherPatientIDs = plants.digits(f"{exam} other id", 8)
    ds.PatientTelephoneNumbers = plants.digits(f"{exam} telephone", 10)
    _private_nested_overlay(ds, plants, exam)
    ds.file_meta.SourceApplicationEntityTitle = plants.word(f"{exam} aet", 3)
    ds.file_meta.ImplementationVersionName = plants.word(f"{exam} version", 3)
    ds.file_meta.PrivateInformationCreatorUID = UID(
        "1.2." + plants.digits(f"{exam} meta creator", 10)
    )
    ds.file_meta.PrivateInformation = plants.word(f"{exam} meta private").encode()
    ds.preamble = plants.word(f"{exam} preamble").encode().ljust(128, b" ")
    ds.save_as(path)


def _private_nested_overlay(ds: Dataset, plants: Plants, exam: str) -> None:
    for group in (0x0009, 0x0019, 0x0029, 0x0051):
        block = ds.private_block(group, plants.word(f"{exam} creator {group:x}"), create=True)
        for element, vr in enumerate(("LO", "PN", "LT", "UT", "DA")):
            block.add_new(element, vr, plants.value(f"{exam} private {group:x} {vr}", vr))
        block.add_new(0x20, "OB", plants.word(f"{exam} private bytes {group:x}").encode())
    inner = Dataset()
    inner.PatientName = plants.word(f"{exam} nested name")
    inner.PatientID = plants.digits(f"{exam} nested id")
    inner.TextValue = plants.word(f"{exam} nested text")
    item = Dataset()
    item.StudyDescription = plants.word(f"{exam} item description")
    item.RequestedProcedureID = plants.word(f"{exam} item id", 3)
    item.ModifiedAttributesSequence = [inner]
    for keyword in ("RequestAttributesSequence", "OriginalAttributesSequence"):
        setattr(ds, keyword, [item])
    for element, vr in ((0x0022, "LO"), (0x1500, "LO"), (0x4000, "LT")):
        ds.add_new(0x6000 << 16 | element, vr, plants.word(f"{exam} overlay {element:x}"))
    ds.add_new(0x60003000, "OW", plants.word(f"{exam} overlay data").encode().ljust(32, b" "))
    ds.add_new(0xFFFCFFFC, "OB", plants.word(f"{exam} trailing").encode().ljust(32, b" "))


def write_report(plants: Plants, exam: str, ds: Dataset) -> str:
    """A report in whose impression the people, numbers and dates of the exam are spelled freely."""
    family, given = str(ds.PatientName).split("^")
    birth = ds.PatientBirthDate
    y, m, d = birth[:4], birth[4:6], birth[6:]
    who = {k: plants.word(f"{exam} {k}") for k in ("reader", "resident", "wife", "son", "town")}
    phone = plants.digits(f"{exam} phone", 10)
    return f"""EXAM: Cardiac MRI for {given} {family}
HISTORY: {plants.word(f"{exam} history")}
IMPRESSION:
1. Normal left ventricular size and function (LVEF 58%) in Mr. {family}, {given}.
2. {family.upper()} {given.upper()} ({family.lower()}, {given[0]}.) has no scar; MRN {ds.PatientID}.
3. Accession {ds.AccessionNumber}, other number {ds.OtherPatientIDs}, born {d}.{m}.{y}, {m}/{d}/{y}.
4. DOB {y}-{m}-{d} or {birth}; {given} {family[0]}. seen by Dr {who["reader"]} at 10:42.
5. Wife {who["wife"]}, son: {who["son"]}, call ({phone[:3]}) {phone[3:6]}-{phone[6:]}, fax {phone}.
6. Results to {ds.ReferringPhysicianName} of {ds.InstitutionName}; d/w Dr. {who["resident"]}.
7. Mail {given.lower()}.{family.lower()}@example.org, https://example.org/{ds.PatientID}.
8. Transferred from {who["town"]} Clinic. {" ".join(family)} {family[:4]}-
{family[4:]} {ds.OperatorsName!s}.
Electronically signed by {plants.word(f"{exam} signer")}, MD"""


def write_csv(path: pathlib.Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, sorted({k for row in rows for k in row}), restval="")
        writer.writeheader()
        writer.writerows(rows)


def forms(token: str) -> Iterator[bytes]:
    """A token as it could be written: as it is, backwards, digits alone, base64, hex."""
    low = token.lower()
    yield low.encode()
    yield low[::-1].encode()
    for text in {token, low, token.upper()}:
        yield text.encode().hex().encode()
        for shift in range(3):  # base64 depends on what stands before; whole groups only
            whole = text.encode()[shift : shift + (len(text) - shift) // 3 * 3]
            yield base64.b64encode(whole).lower()


def leaks(data: bytes, tokens: Iterable[str]) -> set[str]:
    """The tokens that `data` holds in any form."""
    wanted = {form: token for token in tokens for form in forms(token)}
    lengths = sorted({len(form) for form in wanted})
    found = set()
    for run in RUN.findall(data.lower()):
        for text in {run, re.sub(rb"[^a-z0-9]", b"", run)}:
            for length in lengths:
                windows = (text[i : i + length] for i in range(len(text) - length + 1))
                found |= {wanted[w] for w in windows if w in wanted}
    return found
