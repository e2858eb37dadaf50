"""Reports of HL7 v2 result messages (ORU^R01): which text, whose, of which order, in which state."""

import re

from data_prep.folding import fold
from data_prep.read.reject import Why
from data_prep.reports.attachment import from_base64, text_of
from data_prep.reports.headings import Kind, kind_of
from data_prep.reports.message import Message, messages
from data_prep.reports.rows import SEPARATOR, linked, report, unreadable

TEXT_TYPES = frozenset(("TX", "FT", "ST", "CE", "CWE", "ED", ""))
# OBX-3 of what a text is: suffixes of HL7 2.5.1, chapter 7, and LOINC.
IMPRESSION_CODES = frozenset(("IMP", "19005-8"))
ADDENDUM_CODES = frozenset(("ADT", "ADD", "55107-7"))
STUDY_UID_CODES = frozenset(("113014", "110180"))  # DCM: DICOM Study, Study Instance UID
WITHDRAWN_STATES = frozenset("DXW")
HEADINGS = {Kind.IMPRESSION: "IMPRESSION:", Kind.ADDENDUM: "ADDENDUM:"}
# A tilde before a number, after a space, is `about`; any other starts a repetition.
REPETITION = r"(?<![\s(]){0}|{0}(?!\s?\d)"
# Fields that name people or number them, and how many of their first components do.  An address is
# not among them: a word of it, as in Heart Street, may be a word of the report.
NAMING = {
    "PID": {2: 1, 3: 1, 4: 1, 5: 3, 6: 3, 7: 1, 9: 3, 13: 1, 14: 1, 18: 1, 19: 1},
    "OBR": {10: 3, 16: 3, 17: 1, 28: 3, 32: 1, 33: 1, 34: 1, 35: 1},
    "PV1": {7: 3, 8: 3, 9: 3, 17: 3, 19: 1},
}


def read_messages(raw: bytes, name: str) -> list[dict[str, str]]:
    """Rows of every result message of a file.  `name`: how the local list of rejects calls it."""
    rows: list[dict[str, str]] = []
    for number, message in enumerate(messages(raw), 1):
        where = f"report {name} message {number}"
        if message.parts(message.field(message.segments[0], 9))[0] != "ORU":
            rows.append(unreadable(where, "a message of another kind", Why.NOT_A_REPORT))
        else:
            rows += _rows(message, where)
    return rows or [unreadable(f"report {name}", "no message", Why.NOT_A_REPORT)]


def _rows(message: Message, where: str) -> list[dict[str, str]]:
    """A row for each order; an order without results shares the text of the one before it."""
    reports: list[tuple[dict[str, str], list[str]]] = []
    person = _person(message)
    for number, (order, results) in enumerate(_orders(message), 1):
        accessions = _accessions(message, order)
        if not results and reports:
            reports[-1][1].extend(accessions[:1])
            continue
        text, problem = _text(message, results)
        row = report(
            f"{where} order {number}",
            text,
            other_numbers=SEPARATOR.join(accessions[1:]),
            study_instance_uid=_study(message, results),
            study_date=message.first(order, 7),
            report_date=message.first(order, 22) or message.first(message.segments[0], 7),
            report_status=_status(message, order, results),
            **person,
        )
        if problem and not text:
            row |= {"reject": Why.REPORT_UNREADABLE.name, "detail": problem}
        reports.append((row, accessions[:1]))
    rows = [one for row, accessions in reports for one in linked(row, accessions)]
    return rows or [unreadable(where, "a result without an order")]


def _orders(message: Message) -> list[tuple[list[str], list[list[str]]]]:
    """Each OBR with the OBX that follow it; the order's ORC-3 stands behind the OBR's fields."""
    orders: list[tuple[list[str], list[list[str]]]] = []
    common: list[str] = []
    for segment in message.segments:
        if segment[0] == "ORC":
            common = segment
        elif segment[0] == "OBR":
            padded = [*segment, *[""] * 50][:50]
            orders.append(([*padded, message.field(common, 3)], []))
        elif segment[0] == "OBX" and orders:
            orders[-1][1].append(segment)
    return orders


def _accessions(message: Message, order: list[str]) -> list[str]:
    """What may be the accession, the likeliest first: sites differ (IHE Radiology puts it in 18)."""
    found = [message.first(order, number) for number in (18, 3, 20, 19, 50)]
    return list(dict.fromkeys(number for number in found if number))


def _person(message: Message) -> dict[str, str]:
    """The patient's number (PID-3, else PID-2), and strings that name people."""
    pid = next(iter(message.all("PID")), [])
    numbers = [message.parts(r) for r in message.field(pid, 3).split(message.repetition)]
    records = [n for n in numbers if len(n) > 4 and n[4] == "MR"] or numbers
    return {
        "patient_id": records[0][0] or message.first(pid, 2),
        "identifiers": SEPARATOR.join(dict.fromkeys(_names(message))),
    }


def _names(message: Message) -> list[str]:
    found: list[str] = []
    for segment in message.segments:
        for number, components in NAMING.get(segment[0], {}).items():
            for one in message.field(segment, number).split(message.repetition):
                named = one.split(message.component)[:components]
                found += [message.plain(p) for part in named for p in part.split(message.sub)]
    return [piece.strip() for piece in found if len(piece.strip()) > 2]


def _study(message: Message, results: list[list[str]]) -> str:
    """The StudyInstanceUID: an OBX of its own, or ZDS-1 (both IHE Radiology)."""
    for result in results:
        if _codes(message, result) & STUDY_UID_CODES:
            return message.first(result, 5)
    return next((message.first(zds, 1) for zds in message.all("ZDS")), "")


def _status(message: Message, order: list[str], results: list[list[str]]) -> str:
    """OBR-25, unless the results (OBX-11) say that they were corrected or withdrawn."""
    stated = message.first(order, 25).upper()
    states = [message.first(result, 11).upper() for result in results]
    if states and set(states) <= WITHDRAWN_STATES:
        return "W" if "W" in states else "X"
    if "C" in states and stated in ("", "F"):
        return "C"
    return stated or next((state for state in states if state), "")


def _codes(message: Message, result: list[str]) -> set[str]:
    """The pieces of OBX-3, suffixes of codes among them."""
    marks = f"[{re.escape(message.component + message.sub)}]"
    pieces = re.split(marks, message.field(result, 3))
    return {message.plain(piece).strip().upper() for piece in pieces if piece.strip()}


def _text(message: Message, results: list[list[str]]) -> tuple[str, str]:
    """The text of an order's results under headings that their codes name, and what failed."""
    pieces: list[tuple[Kind, str]] = []
    problem = ""
    for result in results:
        codes = _codes(message, result)
        is_text = message.field(result, 2).upper() in TEXT_TYPES and not codes & STUDY_UID_CODES
        if is_text and message.first(result, 11).upper() not in WITHDRAWN_STATES:
            text, trouble = _value(message, result)
            problem = problem or trouble
            pieces.append((_kind(codes), text))
    has_codes = any(kind is Kind.IMPRESSION for kind, _ in pieces)
    lines: list[str] = []
    open_kind = None
    for kind, text in pieces:
        if kind is not open_kind and (has_codes or kind is Kind.ADDENDUM):
            lines.append(HEADINGS.get(kind, "FINDINGS:"))
        lines.append(text)
        open_kind = kind
    return "\n".join(lines) if any(text for _, text in pieces) else "", problem


def _kind(codes: set[str]) -> Kind:
    if codes & ADDENDUM_CODES:
        return Kind.ADDENDUM
    named = any(kind_of(fold(code)) is Kind.IMPRESSION for code in codes)
    return Kind.IMPRESSION if named or codes & IMPRESSION_CODES else Kind.FINDINGS


def _value(message: Message, result: list[str]) -> tuple[str, str]:
    """OBX-5 as text, repetitions as lines, and "", or "" and what kept it from being read."""
    value, kind = message.field(result, 5), message.field(result, 2).upper()
    if kind == "ED":
        parts = message.parts(value)
        return from_base64(parts[-1]) if "BASE64" in value.upper() else text_of(parts[-1].encode())
    if kind in ("CE", "CWE"):
        parts = [message.parts(r) for r in value.split(message.repetition)]
        return "\n".join(p[1] if len(p) > 1 and p[1] else p[0] for p in parts), ""
    mark = re.escape(message.repetition)
    return "\n".join(map(message.plain, re.split(REPETITION.format(mark), value))), ""
