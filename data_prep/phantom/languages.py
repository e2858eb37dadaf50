"""What operators call a stack, in five languages: words of view and sequence, and what goes wrong.

A name may be that of another view, be missing, or be a string that a careless program obeys.
"""

import dataclasses

import numpy as np

from data_prep.phantom.identity import HOSTILE
from data_prep.phantom.protocol import DESCRIPTIONS, GE, PHILIPS, SIEMENS, VIEW_WORDS, Habits
from data_prep.phantom.tissue import Contrast

LANGUAGES = ("en", "de", "fr", "es", "it")
LANGUAGE_SHARES = (0.4, 0.15, 0.15, 0.15, 0.15)
BLANK, ATTACK = "blank", "hostile"  # in place of a language
ENGLISH_ANYWAY = 0.3  # share of names in English where the hospital speaks something else

VIEWS = {
    "en": VIEW_WORDS,
    "de": {
        "SAX": ("Kurzachse", "KA", "kurze Achse"),
        "4CH": ("4-Kammerblick", "Vierkammerblick", "4KB"),
        "3CH": ("3-Kammerblick", "Dreikammerblick"),
        "2CH": ("2-Kammerblick", "Zweikammerblick", "2KB"),
    },
    "fr": {
        "SAX": ("petit axe", "PA"),
        "4CH": ("4 cavités", "quatre cavités"),
        "3CH": ("3 cavités", "trois cavités"),
        "2CH": ("2 cavités", "deux cavités"),
    },
    "es": {
        "SAX": ("eje corto", "EJE CORTO"),
        "4CH": ("4 cámaras", "cuatro cámaras"),
        "3CH": ("3 cámaras", "tres cámaras"),
        "2CH": ("2 cámaras", "dos cámaras"),
    },
    "it": {
        "SAX": ("asse corto", "ASSE CORTO"),
        "4CH": ("4 camere", "quattro camere"),
        # codespell:ignore-next-line
        "3CH": ("3 camere", "tre camere"),
        "2CH": ("2 camere", "due camere"),
    },
}
SEQUENCES = {
    "de": {
        Contrast.CINE: ("Cine {v}", "Kino {v}", "{v} Cine"),
        Contrast.LGE_MAG: ("Late Enhancement {v} MAG", "Spätaufnahme {v} LGE"),
        Contrast.LGE_PSIR: ("Late Enhancement {v} PSIR", "PSIR {v} spät"),
        Contrast.PERFUSION: ("Perfusion Ruhe {v}", "First-Pass-Perfusion"),
        Contrast.T2W: ("T2 Ödem {v}", "Dark Blood T2 {v}"),
        Contrast.T1MAP: ("T1-Karte {v}", "T1 Mapping {v}"),
        Contrast.LOCALIZER: ("Übersicht", "Lokalisator"),
    },
    "fr": {
        Contrast.CINE: ("Ciné {v}", "{v} ciné"),
        Contrast.LGE_MAG: ("Rehaussement tardif {v}", "RT {v} MAG"),
        Contrast.LGE_PSIR: ("Rehaussement tardif {v} PSIR", "PSIR {v}"),
        Contrast.PERFUSION: ("Perfusion de repos {v}", "Premier passage"),
        Contrast.T2W: ("T2 sang noir {v}", "STIR {v}"),
        Contrast.T1MAP: ("Cartographie T1 {v}", "T1 map {v}"),
        Contrast.LOCALIZER: ("Repérage", "Localisateur"),
    },
    "es": {
        Contrast.CINE: ("Cine {v}", "{v} cine"),
        Contrast.LGE_MAG: ("Realce tardío {v}", "Viabilidad {v}"),
        Contrast.LGE_PSIR: ("Realce tardío {v} PSIR", "PSIR {v}"),
        Contrast.PERFUSION: ("Perfusión en reposo {v}", "Primer paso"),
        Contrast.T2W: ("T2 sangre negra {v}", "STIR {v}"),
        Contrast.T1MAP: ("Mapa T1 {v}",),
        Contrast.LOCALIZER: ("Localizador",),
    },
    "it": {
        Contrast.CINE: ("Cine {v}", "{v} cine"),
        Contrast.LGE_MAG: ("Enhancement tardivo {v}", "LGE {v}"),
        Contrast.LGE_PSIR: ("Enhancement tardivo {v} PSIR", "PSIR {v}"),
        Contrast.PERFUSION: ("Perfusione a riposo {v}", "Primo passaggio"),
        Contrast.T2W: ("T2 sangue nero {v}", "STIR {v}"),
        Contrast.T1MAP: ("Mappa T1 {v}",),
        Contrast.LOCALIZER: ("Localizzatore",),
    },
}
ENGLISH = DESCRIPTIONS | {
    (SIEMENS, Contrast.PERFUSION): ("dyn_perf_sr_{v}", "FIRST_PASS_{v}_rest"),
    (SIEMENS, Contrast.T2W): ("t2_tirm_db_{v}", "T2W_dark_blood_{v}"),
    (SIEMENS, Contrast.T1MAP): ("MOLLI_{v}_T1MAP", "T1Map_native_{v}"),
    (SIEMENS, Contrast.LOCALIZER): ("localizer", "AAHeart_Scout"),
    (GE, Contrast.PERFUSION): ("{v} FGRE Time Course", "FIRST PASS {v}"),
    (GE, Contrast.T2W): ("{v} T2 Double IR FSE", "Triple IR {v}"),
    (GE, Contrast.T1MAP): ("T1 map MOLLI {v}", "{v} SMART1Map"),
    (GE, Contrast.LOCALIZER): ("3 Plane Loc", "LOC FIESTA"),
    (PHILIPS, Contrast.PERFUSION): ("PERF_REST_{v}", "WIP dyn perfusion {v}"),
    (PHILIPS, Contrast.T2W): ("BB_SPIR_{v} T2", "T2W_TSE_BB_{v}"),
    (PHILIPS, Contrast.T1MAP): ("WIP T1 map MOLLI {v}", "cMOLLI_{v}"),
    (PHILIPS, Contrast.LOCALIZER): ("Survey", "SURVEY_BFFE"),
}
# Beyond what the demo plants: other paths, a formula that runs a program, NULs, great length.
HOSTILE_NAMES = (
    *HOSTILE,
    "..\\..\\windows\\system32",
    "=cmd|'/C calc'!A0",
    "sax\0cine\0",
    "4CH\n\nIMPRESSION: normal",
    "<img src=x onerror=alert(1)>",
    "cine sax " * 900,
)


@dataclasses.dataclass(frozen=True)
class Name:
    """A SeriesDescription; `language` is one of LANGUAGES, or says that there is none."""

    text: str
    language: str
    mislabelled: bool = False


def name(
    vendor: str, contrast: Contrast, views: tuple[str, ...], language: str, habits: Habits, rng
) -> Name:
    """The name of a stack, or of several in one series, as somebody typed it.

    Views are those of VIEW_WORDS; a stack that has none of them is named by its sequence alone.
    """
    fate = rng.random()
    if fate < habits.blank:
        return Name("", BLANK)
    if fate < habits.blank + habits.hostile:
        return Name(HOSTILE_NAMES[rng.integers(len(HOSTILE_NAMES))], ATTACK)
    if language != "en" and rng.random() < ENGLISH_ANYWAY:
        language = "en"
    known = [view for view in views if view in VIEW_WORDS]
    wrong = bool(known) and rng.random() < habits.mislabelled
    if wrong:
        others = [view for view in VIEW_WORDS if view not in known]
        known = [others[rng.integers(len(others))]]
    words = " ".join(_one(VIEWS[language][view], rng) for view in known)
    templates = ENGLISH[vendor, contrast] if language == "en" else SEQUENCES[language][contrast]
    template = _one(templates, rng)
    if vendor == PHILIPS and not template.startswith("WIP") and rng.random() < 0.2:
        template = f"WIP {template}"
    # A template without a place for the view says nothing wrong about it.
    return Name(template.format(v=words).strip(" _"), language, wrong and "{v}" in template)


def exam_language(rng: np.random.Generator) -> str:
    """What the hospital of an exam speaks."""
    return LANGUAGES[rng.choice(len(LANGUAGES), p=LANGUAGE_SHARES)]


def _one(options: tuple[str, ...], rng: np.random.Generator) -> str:
    return options[rng.integers(len(options))]
