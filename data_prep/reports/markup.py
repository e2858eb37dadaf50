"""Plain text out of what reports come wrapped in: HTML, RTF, control characters, code pages."""

import html
import re
import unicodedata
from html.parser import HTMLParser

LINE_TAGS = frozenset("p div br li tr table ul ol h1 h2 h3 h4 h5 h6 pre section hr".lower().split())
UNSEEN_TAGS = frozenset(("script", "style", "head", "title"))
# Groups of an RTF file that are no text of its reader (RTF 1.9.1, "destinations").
UNSEEN_GROUPS = frozenset(
    "fonttbl colortbl stylesheet info pict object header footer headerl headerr headerf footerl "
    "footerr footerf listtable listoverridetable rsidtbl themedata datastore generator xmlnstbl "
    "latentstyles fldinst bkmkstart bkmkend".lower().split()
)
RTF_TOKEN = re.compile(
    r"\\'([0-9a-fA-F]{2})|\\([a-zA-Z]{1,32})(-?\d{1,10})?[ ]?|\\([^a-zA-Z])|([{}])|[\r\n]+|([^\\{}\r\n]+)"
)
RTF_SIGNS = {"par": "\n", "line": "\n", "row": "\n", "sect": "\n", "page": "\n", "tab": "\t"} | {
    "cell": " ", "emdash": "—", "endash": "–", "bullet": "•", "lquote": "‘", "rquote": "’"
} | {"ldblquote": "“", "rdblquote": "”", "~": " ", "_": "-", "\\": "\\", "{": "{", "}": "}"}  # fmt: skip


def decode(raw: bytes) -> str:
    """Text of a file: the byte order mark decides, then UTF-8, then what spreadsheets write."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", "replace")
    if (order := _unmarked_utf16(raw)) is not None:
        return raw.decode(order, "replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        return raw.decode("cp1252")
    except UnicodeDecodeError:  # five bytes mean nothing in cp1252; every byte does in latin-1
        return raw.decode("latin-1")


def _unmarked_utf16(raw: bytes) -> str | None:
    head = raw[:400]
    if len(head) < 4:
        return None
    if head[1::2].count(0) > 0.4 * len(head[1::2]) and not head[::2].count(0):
        return "utf-16-le"
    if head[::2].count(0) > 0.4 * len(head[::2]) and not head[1::2].count(0):
        return "utf-16-be"
    return None


def clean(text: str) -> str:
    """One newline convention, no control characters or terminal codes, markup as text."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n")
    text = text.replace("\\r\\n", "\n").replace("\\n", "\n")
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)
    text = re.sub(r"(?i)<\s*/?\s*(?:br|p|div|li)\s*/?\s*>", "\n", text)
    text = unicodedata.normalize("NFC", html.unescape(text)).replace("\xa0", " ")
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c)[0] != "C")


def from_html(text: str) -> str:
    """What a reader of the page would see, blocks on lines of their own."""
    page = _Page()
    page.feed(text)
    page.close()
    lines = (" ".join(line.split()) for line in "".join(page.pieces).split("\n"))
    return "\n".join(line for line in lines if line)


class _Page(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.unseen = ""

    def handle_starttag(self, tag, attrs):
        if tag in UNSEEN_TAGS and not self.unseen:
            self.unseen = tag
        if tag in LINE_TAGS:
            self.pieces.append("\n")

    def handle_endtag(self, tag):
        if tag == self.unseen:
            self.unseen = ""
        if tag in LINE_TAGS:
            self.pieces.append("\n")

    def handle_data(self, data):
        if not self.unseen:
            # A line break of the source is a space on the page.
            self.pieces.append(re.sub(r"\s+", " ", data))


def from_rtf(text: str) -> str:
    """The visible text of an RTF document; what it does not know, it leaves out."""
    page = re.search(r"\\ansicpg(\d{3,5})", text)
    codec = f"cp{page.group(1)}" if page else "cp1252"
    pieces: list[str] = []
    seen, stack, skip, per_unicode = True, [], 0, 1
    for match in RTF_TOKEN.finditer(text):
        byte, word, number, sign, brace, plain = match.groups()
        if brace == "{":
            stack.append((seen, per_unicode))
        elif brace == "}":
            seen, per_unicode = stack.pop() if stack else (True, 1)
        elif word in UNSEEN_GROUPS or sign == "*":
            seen = False
        elif word == "uc" and number:
            per_unicode = int(number)
        elif not seen:
            continue
        elif word == "u" and number:
            pieces.append(chr(int(number) % 65536))
            skip = per_unicode
        elif byte or plain:
            # After a character come its stand-ins for old readers.
            shown = bytes([int(byte, 16)]).decode("latin-1") if byte else plain
            cut, skip = min(skip, len(shown)), max(skip - len(shown), 0)
            pieces.append(_in_codec(shown[cut:], codec) if byte else shown[cut:])
        elif word or sign:
            pieces.append(RTF_SIGNS.get(word or sign, ""))
    return "".join(pieces).strip()


def _in_codec(latin: str, codec: str) -> str:
    try:
        return latin.encode("latin-1").decode(codec, "replace")
    except LookupError:
        return latin
