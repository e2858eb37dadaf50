"""Invented people: the protected health information that a real export would carry.

Every string here is planted so that a test can look for it in what the preparation puts out.
"""

import dataclasses
import datetime

from data_prep.phantom.population import Subject, exam_rng

SYLLABLES = (
    "Vor",
    "quin",
    "Zel",
    "tharr",
    "Oxl",
    "brem",
    "Kys",
    "dunn",
    "Wex",
    "ulm",
    "Pfa",
    "grit",
)
GIVEN = ("Xanthe", "Ignaz", "Oriel", "Thaddea", "Yorick", "Zinnia", "Quillon", "Ephra")
READERS = ("Brackenholt", "Quistgaard", "Zwartveen", "Oduyelle")
INSTITUTION = "St. Ozwin Memorial Hospital"

# Strings that a careless program would obey: markup, a spreadsheet formula, newlines, terminal codes.
HOSTILE = (
    "<script>alert('cmr')</script>",
    '=HYPERLINK("file:///etc","sax")',
    "sax\ncine\r4ch",
    "\x1b[31mcine\x1b[0m",
    "../../../etc/passwd",
)


@dataclasses.dataclass(frozen=True)
class Identity:
    """Names, numbers and dates of one invented patient; `study_date` and `birth_date` as DICOM DA."""

    family: str
    given: str
    patient_id: str
    accession: str
    birth_date: str
    study_date: str
    phone: str
    reader: str

    def planted(self) -> tuple[str, ...]:
        """What must never be seen outside: each string is unlikely to occur by chance."""
        return (
            self.family,
            self.patient_id,
            self.accession,
            self.birth_date,
            self.study_date,
            self.us_date,
            self.date_in("de"),
            self.date_in("fr"),
            self.phone,
            self.reader,
            INSTITUTION,
        )

    @property
    def us_date(self) -> str:
        """The study date as an American report writes it."""
        return f"{self.study_date[4:6]}/{self.study_date[6:]}/{self.study_date[:4]}"

    def date_in(self, language: str) -> str:
        """The study date as a report in a language ("en", "de", "fr", "es", "it") writes it."""
        if language == "en":
            return self.us_date
        mark = "." if language == "de" else "/"
        return mark.join((self.study_date[6:], self.study_date[4:6], self.study_date[:4]))


def identity(subject: Subject) -> Identity:
    """The invented person behind a subject."""
    rng = exam_rng(subject.seed, subject.index, 4)
    family = "".join(SYLLABLES[i] for i in rng.integers(len(SYLLABLES), size=3)).capitalize()
    study = datetime.date(2019, 1, 1) + datetime.timedelta(days=int(rng.integers(0, 1800)))
    birth = study - datetime.timedelta(days=int(subject.age_years * 365.25 + rng.integers(365)))
    return Identity(
        family=family,
        given=GIVEN[rng.integers(len(GIVEN))],
        patient_id=f"{subject.seed % 97:02d}{subject.index:06d}{rng.integers(10, 99)}",
        accession=f"ACX{subject.seed % 97:02d}{subject.index:07d}",
        birth_date=birth.strftime("%Y%m%d"),
        study_date=study.strftime("%Y%m%d"),
        phone=f"555-{rng.integers(200, 999)}-{rng.integers(1000, 9999)}",
        reader=READERS[rng.integers(len(READERS))],
    )
