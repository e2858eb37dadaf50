"""Reports of FHIR R4: DiagnosticReport alone, in a Bundle, or one a line.

Read as plain JSON: a model that validates would refuse the resources that real systems export, and
a dozen elements are all that is needed.  Whatever is not as the standard says is as if it were absent.
"""

from collections.abc import Iterator

from data_prep.read.reject import Why
from data_prep.reports.attachment import from_base64
from data_prep.reports.impression import extract
from data_prep.reports.markup import from_html
from data_prep.reports.rows import SEPARATOR, linked, report, unreadable

DEEPEST_BUNDLE = 4
REPORT = "DiagnosticReport"


def read_resources(roots: list[dict], name: str) -> list[dict[str, str]]:
    """Rows of the reports among these resources and what their bundles hold.

    Patients, orders and studies beside the reports tell whose they are.  `name`: how the local list
    of rejects calls the input.
    """
    every = [pair for root in roots for pair in _unfolded(root, "", 0)]
    known = {key: resource for url, resource in every for key in _addresses(url, resource)}
    reports = [resource for _, resource in every if resource.get("resourceType") == REPORT]
    rows: list[dict[str, str]] = []
    for number, resource in enumerate(reports, 1):
        rows += _rows(resource, known, f"report {name} resource {number}")
    return rows or [unreadable(f"report {name}", "no DiagnosticReport", Why.NOT_A_REPORT)]


def _unfolded(resource: dict, url: str, depth: int) -> Iterator[tuple[str, dict]]:
    yield url, resource
    if depth < DEEPEST_BUNDLE:
        for entry in _dicts(resource, "entry"):
            for inner in _dicts(entry, "resource"):
                yield from _unfolded(inner, _string(entry, "fullUrl"), depth + 1)


def _addresses(url: str, resource: dict) -> list[str]:
    kind, name = _string(resource, "resourceType"), _string(resource, "id")
    return [a for a in (url, f"{kind}/{name}" if kind and name else "") if a]


def _rows(resource: dict, known: dict[str, dict], where: str) -> list[dict[str, str]]:
    known = known | {f"#{_string(c, 'id')}": c for c in _dicts(resource, "contained")}
    patients = _targets(resource, "subject", known)
    orders = _targets(resource, "basedOn", known)
    studies = [s for k in ("imagingStudy", "study") for s in _targets(resource, k, known)]
    accessions, others = _accessions([resource, *orders, *studies])
    text, problem = _text(resource)
    period = [_string(p, "start") for p in _dicts(resource, "effectivePeriod")]
    row = report(
        where,
        text,
        patient_id=_patient_id(resource, patients),
        study_instance_uid=_study_uid(studies),
        other_numbers=SEPARATOR.join(others),
        report_status=_string(resource, "status"),
        study_date=_string(resource, "effectiveDateTime") or "".join(period[:1]),
        report_date=_string(resource, "issued"),
        identifiers=SEPARATOR.join(_people(resource, patients)),
    )
    if problem and not text:
        row |= {"reject": Why.REPORT_UNREADABLE.name, "detail": problem}
    return linked(row, accessions)


def _text(resource: dict) -> tuple[str, str]:
    """The conclusion where it says something, else the document, else the narrative; or what failed."""
    conclusion = _string(resource, "conclusion")
    labelled = f"IMPRESSION:\n{conclusion}" if conclusion else ""
    if labelled and isinstance(extract(labelled), str):
        return labelled, ""
    problem = ""
    for form in _dicts(resource, "presentedForm"):
        data = _string(form, "data")
        text, trouble = from_base64(data) if data else ("", "an attachment without its data")
        if text:
            return text, ""
        problem = problem or trouble
    narrative = "".join(_string(n, "div") for n in _dicts(resource, "text"))
    return labelled or from_html(narrative), problem


def _accessions(resources: list[dict]) -> tuple[list[str], list[str]]:
    """Numbers typed as accessions (ACSN), and the others; the first other stands in where none is."""
    typed: list[str] = []
    others: list[str] = []
    for resource in resources:
        for identifier in _dicts(resource, "identifier"):
            value = _string(identifier, "value")
            if value and not value.startswith("urn:"):
                (typed if "ACSN" in _codes(identifier) else others).append(value)
    typed, others = list(dict.fromkeys(typed)), list(dict.fromkeys(others))
    return (typed, others) if typed else (others[:1], others[1:])


def _patient_id(resource: dict, patients: list[dict]) -> str:
    """The patient's record number: typed MR, else any, else what the reference ends with."""
    identifiers = [i for p in patients for i in _dicts(p, "identifier") if _string(i, "value")]
    records = [i for i in identifiers if "MR" in _codes(i)] or identifiers
    if records:
        return _string(records[0], "value")
    subject = next(iter(_dicts(resource, "subject")), {})
    reference = _string(subject, "reference")
    return "" if reference.startswith(("urn:", "#")) else reference.rsplit("/", 1)[-1]


def _study_uid(studies: list[dict]) -> str:
    """The StudyInstanceUID of an ImagingStudy, as R4 writes it: urn:oid:1.2.3."""
    values = [_string(i, "value") for s in studies for i in _dicts(s, "identifier")]
    uids = [v.removeprefix("urn:oid:") for v in values if v.startswith("urn:oid:")]
    return uids[0] if len(set(uids)) == 1 else ""


def _people(resource: dict, patients: list[dict]) -> list[str]:
    """Strings that name the patient and the readers."""
    found = [_string(p, "birthDate") for p in patients]
    found += [_string(i, "value") for p in patients for i in _dicts(p, "identifier")]
    found += [_string(t, "value") for p in patients for t in _dicts(p, "telecom")]
    for name in (n for p in patients for n in _dicts(p, "name")):
        given = name.get("given")
        found += [_string(name, "text"), _string(name, "family")]
        found += [g for g in given if isinstance(g, str)] if isinstance(given, list) else []
    found += [_string(subject, "display") for subject in _dicts(resource, "subject")]
    for person in (p for r in ("performer", "resultsInterpreter") for p in _dicts(resource, r)):
        # A department's name is made of words that reports need.
        if _string(person, "reference").startswith("Practitioner"):
            found.append(_string(person, "display"))
    return list(dict.fromkeys(value for value in found if value))


def _targets(resource: dict, key: str, known: dict[str, dict]) -> list[dict]:
    """What references point to; a reference with an identifier of its own stands for its target."""
    found = []
    for reference in _dicts(resource, key):
        address = _string(reference, "reference")
        short = "/".join(address.split("/_history")[0].split("/")[-2:])
        found += [t for a in dict.fromkeys((address, short)) if (t := known.get(a))][:1]
        found += [{"identifier": i} for i in _dicts(reference, "identifier")]
    return found


def _codes(identifier: dict) -> set[str]:
    kinds = _dicts(identifier, "type")
    return {_string(c, "code").upper() for kind in kinds for c in _dicts(kind, "coding")}


def _dicts(resource: dict, key: str) -> list[dict]:
    """The objects under a key, be it one or a list."""
    value = resource.get(key)
    values = value if isinstance(value, list) else [value]
    return [v for v in values if isinstance(v, dict)]


def _string(resource: dict, key: str) -> str:
    value = resource.get(key)
    return value.strip() if isinstance(value, str) else ""
