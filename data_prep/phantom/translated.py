"""Reports in five languages, plain and true of the subject, with the identifiers of real ones."""

from data_prep.phantom.contrasts import ISCHEMIC, is_acute
from data_prep.phantom.phrases import SENTENCES, WORDS
from data_prep.phantom.population import Diagnosis, Scar, exam_rng
from data_prep.phantom.takes import takes
from data_prep.phantom.tissue import Contrast

REPORT_STREAM = 27
# The whole report; {body} is the impression.
LAYOUTS = {
    "en": (
        "EXAM: Cardiac MRI\nDATE: {date}\nPATIENT: {name} MRN: {mrn}\nFINDINGS:\n{volumes}\n"
        "IMPRESSION:\n{body}\nElectronically signed by: {reader}, MD {date}"
    ),
    "de": (
        "Untersuchung: MRT des Herzens\nDatum: {date}\nPatient: {name}, Patienten-ID: {mrn}\n"
        "Befund:\n{volumes}\nBeurteilung:\n{body}\nElektronisch signiert: Dr. {reader}, {date}"
    ),
    "fr": (
        "Examen : IRM cardiaque\nDate : {date}\nPatient : {name}, IPP : {mrn}\n"
        "Résultats :\n{volumes}\nConclusion :\n{body}\n"
        "Signé électroniquement par le Dr {reader}, {date}"
    ),
    "es": (
        "Estudio: RM cardiaca\nFecha: {date}\nPaciente: {name}, NHC: {mrn}\nHallazgos:\n{volumes}\n"
        "Conclusión:\n{body}\nFirmado electrónicamente por: Dr. {reader}, {date}"
    ),
    "it": (
        "Esame: RM cardiaca\nData: {date}\nPaziente: {name}, ID: {mrn}\nReperti:\n{volumes}\n"
        "Conclusioni:\n{body}\nFirmato elettronicamente: Dott. {reader}, {date}"
    ),
}
# Sentences of an impression that name somebody: reader, earlier exam, patient.
NAMING = {
    "en": (
        "Discussed with Dr. {reader} at {time}.",
        "Compared to prior CMR of {date}, no interval change.",
        "{name} (MRN {mrn}) informed by phone.",
    ),
    "de": (
        "Besprochen mit Dr. {reader} um {time} Uhr.",
        "Im Vergleich zur Vor-MRT vom {date} keine Änderung.",
        "{name} (Patienten-ID {mrn}) telefonisch informiert.",
    ),
    "fr": (
        "Discuté avec le Dr {reader} à {time}.",
        "Pas de modification par rapport à l'IRM du {date}.",
        "{name} (IPP {mrn}) averti par téléphone.",
    ),
    "es": (
        "Comentado con el Dr. {reader} a las {time}.",
        "Sin cambios respecto a la RM del {date}.",
        "{name} (NHC {mrn}) informado por teléfono.",
    ),
    "it": (
        # codespell:ignore-next-line
        "Discusso con il Dott. {reader} alle {time}.",
        "Nessuna variazione rispetto alla RM del {date}.",
        "{name} (ID {mrn}) informato telefonicamente.",
    ),
}
NAMING_SHARES = (0.15, 0.10, 0.06)


def impression_keys(study) -> list[str]:
    """What the impression says, as keys of SENTENCES, whatever the language."""
    s, found = study.subject, study.truth.findings
    shown = {take.scan.contrast for take in takes(study)}
    keys = ["lv_weak" if found["lv_dysfunction"] else "lv_ok"]
    keys.append("lv_wide" if found["lv_dilation"] else "lv_size_ok")
    if s.diagnosis is Diagnosis.HCM:
        keys.append("hcm")
    elif found["lv_hypertrophy"]:
        keys.append("lvh")
    keys.append(_tissue(s))
    if Contrast.T2W in shown:
        keys.append("oedema" if is_acute(s) else "dry")
    if Contrast.PERFUSION in shown and s.scar in ISCHEMIC:
        keys.append("defect")
    right = [k for k, f in (("rv_wide", "rv_dilation"), ("rv_weak", "rv_dysfunction")) if found[f]]
    keys += right or ["rv_ok"]
    keys.append("effusion" if found["pericardial_effusion"] else "no_effusion")
    return keys + (["aorta"] if found["aortic_dilation"] else [])


def _tissue(subject) -> str:
    if subject.scar in ISCHEMIC:
        return "acute" if is_acute(subject) else "old"
    return "lge_none" if subject.scar is Scar.NONE else subject.scar.value


def report(study, language: str) -> str:
    """The whole report in a language, names and dates included."""
    rng = exam_rng(study.profile.seed, study.index, REPORT_STREAM)
    who, values = study.identity, fields(study, language)
    lines = []
    for key in impression_keys(study):
        options = SENTENCES[language][key]
        lines.append(options[rng.integers(len(options))].format(**values))
    people = {
        "reader": who.reader,
        "date": who.date_in(language),
        "name": who.family,
        "mrn": who.patient_id,
        "time": f"{rng.integers(7, 19)}:{rng.integers(10, 59)}",
    }
    for sentence, share in zip(NAMING[language], NAMING_SHARES, strict=True):
        # Nobody finds a fresh infarct unchanged.
        if rng.random() < share and not ("{date}" in sentence and is_acute(study.subject)):
            lines.append(sentence.format(**people))
    if rng.random() < 0.5:
        body = " ".join(lines)
    else:
        body = "\n".join(f"{i}. {line}" for i, line in enumerate(lines, 1))
    return LAYOUTS[language].format(body=body, volumes=_volumes(study, language), **people)


def fields(study, language: str) -> dict[str, str]:
    """Numbers and words that sentences ask for."""
    s, m, words = study.subject, study.truth.measurements, WORDS[language]
    ef = m["lv_ef_percent"]
    depth = s.scar.value if s.scar in ISCHEMIC else "transmural"
    territory = s.territory.value if s.territory else ""
    return {
        "grade": words["mild" if ef >= 40 else "moderate" if ef >= 30 else "severe"],
        "ef": f"{ef:.0f}",
        "edv": f"{m['lv_edv_ml']:.0f}",
        "wall": f"{m['lv_max_wall_mm']:.0f}",
        "rvedv": f"{m['rv_edv_ml']:.0f}",
        "rvef": f"{m['rv_ef_percent']:.0f}",
        "effusion": f"{m['effusion_mm']:.0f}",
        "aorta": f"{m['aortic_root_mm']:.0f}",
        "depth": words[depth],
        "area": words.get(territory, ""),
        "territory": territory,
    }


def _volumes(study, language: str) -> str:
    m = study.truth.measurements
    said = f"LVEDV {m['lv_edv_ml']:.1f} ml, LVESV {m['lv_esv_ml']:.1f} ml."
    return said if language == "en" else said.replace(".", ",").rstrip(",") + "."
