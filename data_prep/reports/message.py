"""HL7 v2 messages as segments and fields; files, batches (FHS, BHS) and what came over MLLP.

Its own reader, since messages here are hostile: segments that end in any newline, text with newlines
of its own, and nothing of a message may reach a log, where the known library writes what it cannot
parse.  Fields are counted as the standard counts them: OBX-5 is `field(segment, 5)`.
"""

import re

from data_prep.reports.markup import decode

SEGMENT = re.compile(r"[A-Z][A-Z0-9]{2}\W")
# MSH-18, HL7 table 0211.
CHARSETS = {
    "8859/1": "latin-1", "8859/2": "iso8859-2", "8859/5": "iso8859-5", "8859/7": "iso8859-7",
    "8859/9": "iso8859-9", "8859/15": "iso8859-15", "UNICODE UTF-8": "utf-8", "UTF-8": "utf-8",
    "GB 18030-2000": "gb18030", "KS X 1001": "euc-kr", "ISO IR87": "iso2022_jp", "BIG-5": "big5",
}  # fmt: skip
ESCAPE = r"(F|S|T|R|E|H|N|P|\.[a-z]{2}[+-]?\d{0,4}|X(?:[0-9A-Fa-f]{2}){1,200}|[CM][0-9A-F]{4,6})"


def is_hl7(raw: bytes) -> bool:
    """Whether bytes begin as a message, a batch or a file of batches does."""
    return decode(raw[:200]).lstrip("\ufeff\x0b\r\n \t")[:3] in ("MSH", "FHS", "BHS")


def messages(raw: bytes) -> list["Message"]:
    """The messages of a file; a line that begins no segment belongs to the one before it."""
    found: list[list[str]] = []
    for line in re.split(r"\r\n|\r|\n", re.sub(r"[\x0b\x1c]", "\r", _decoded(raw))):
        if re.match(r"MSH[^\w\s]", line):
            found.append([line])
        elif not found or not line or line[:3] in ("FHS", "BHS", "BTS", "FTS"):
            continue
        elif SEGMENT.match(line) and line[3] == found[-1][0][3]:
            found[-1].append(line)
        else:
            found[-1][-1] += "\n" + line
    return [Message(lines) for lines in found]


def _decoded(raw: bytes) -> str:
    header = re.search(rb"MSH(.)[^\r\n]*", raw)
    named = header.group(0).split(header.group(1))[17:18] if header else []
    for name in named:
        codec = CHARSETS.get(name.split(b"~")[0].decode("latin-1").strip().upper())
        if codec and codec != "utf-8":  # `decode` tries UTF-8, and survives where it is not true
            return raw.decode(codec, "replace")
    return decode(raw)


class Message:
    """One message: its delimiters and its segments."""

    def __init__(self, lines: list[str]):
        self.bar = lines[0][3]
        marks = lines[0][4:8].split(self.bar)[0]
        self.component, self.repetition, self.escape, self.sub = marks + "^~\\&"[len(marks) :]
        self.segments = [line.split(self.bar) for line in lines]
        # The bar itself is MSH-1.
        self.segments[0].insert(1, self.bar)

    def all(self, name: str) -> list[list[str]]:
        """Segments of a name."""
        return [segment for segment in self.segments if segment[0] == name]

    def field(self, segment: list[str], number: int) -> str:
        """A field as it stands; empty where there is none."""
        return segment[number] if number < len(segment) else ""

    def first(self, segment: list[str], number: int) -> str:
        """The first component of the first repetition of a field."""
        return self.parts(self.field(segment, number).split(self.repetition)[0])[0]

    def parts(self, value: str) -> list[str]:
        """Components of a value, unescaped."""
        return [self.plain(part).strip() for part in value.split(self.component)]

    def plain(self, value: str) -> str:
        """A value without its escapes (HL7 2.5.1, section 2.7); what is none stays as it is."""
        signs = {"F": self.bar, "S": self.component, "T": self.sub, "R": self.repetition}
        signs["E"] = self.escape

        def sign(match: re.Match[str]) -> str:
            code = match.group(1)
            if code[0] == "X":
                return decode(bytes.fromhex(code[1:]))
            if code[0] == ".":
                return "\n" if code[1:3] in ("br", "sp", "ce") else ""
            return signs.get(code, "")

        mark = re.escape(self.escape)
        return re.sub(f"{mark}{ESCAPE}{mark}", sign, value)
