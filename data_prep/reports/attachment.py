"""Text of a document by what its bytes are: plain, HTML or RTF.  Others are told apart, not read."""

import base64
import binascii
import re

from data_prep.reports.markup import decode, from_html, from_rtf

# First bytes of what holds no text that can be read here, and what to call it.
NO_TEXT = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "an office document or archive"),
    (b"\xd0\xcf\x11\xe0", "an old office document"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"II*\0", "an image"),
    (b"MM\0*", "an image"),
    (b"\x1f\x8b", "a compressed file"),
)
# Characters that nobody types.
UNTYPED = re.compile(r"[\x00-\x08\x0e-\x1a\x7f-\x9f\ufffd]")


def text_of(raw: bytes) -> tuple[str, str]:
    """The text of a document and "", or "" and what kept it from being read."""
    for first, what in NO_TEXT:
        if raw.startswith(first):
            return "", what
    if raw[128:132] == b"DICM":
        return "", "a DICOM object"
    text = decode(raw)
    if not text.strip():
        return "", "nothing in it"
    if len(UNTYPED.findall(text[:4000])) > len(text[:4000]) / 20:
        return "", "no text"
    start = text.lstrip()[:200].lower()
    if start.startswith("{\\rtf"):
        return from_rtf(text), ""
    if re.match(r"(?:<\?xml[^>]*>\s*)?<(?:!doctype html|html|body|div|p|pre|table)\b", start):
        return from_html(text), ""
    return text, ""


def from_base64(data: str) -> tuple[str, str]:
    """`text_of` of what the data encode."""
    try:
        return text_of(base64.b64decode("".join(data.split()), validate=True))
    except (binascii.Error, ValueError):
        return "", "broken base64"
