"""Plain text out of what reports come wrapped in: HTML, RTF, control characters, code pages."""

import html
import re
import unicodedata

LINE_TAGS = frozenset("p div br li tr table ul ol h1 h2 h3 h4 h5 h6 pre section hr".lower().split())
HTML_TAG = re.compile(
    r"<!--|-->|<(/?)([a-zA-Z][a-zA-Z0-9]{0,20})(?:\s[^<>]{0,2000})?/?>|<[!?][^<>]{0,2000}>"
)
UNSEEN_TAGS = frozenset(("script", "style", "head", "title"))
# Groups of an RTF file that are no text of its reader (RTF 1.9.1, "destinations").
UNSEEN_GROUPS = frozenset(
    "fonttbl colortbl stylesheet info pict object "
    "listtable listoverridetable rsidtbl themedata datastore generator xmlnstbl "
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
    text = re.sub(r"(?i)<[ ]{0,2}/?[ ]{0,2}(?:br|p|div|li)[ ]{0,2}/?[ ]{0,2}>", "\n", text)
    text = unicodedata.normalize("NFC", html.unescape(text)).replace("\xa0", " ")
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c)[0] != "C")


def from_html(text: str) -> str:
    """What a reader of the page would see, blocks on lines of their own.

    One pass over its tags: the parser of the standard library takes minutes for some broken pages.
    """
    pieces: list[str] = []
    unseen, at = "", 0
    for tag in HTML_TAG.finditer(text):
        if not unseen:
            pieces.append(" ".join(text[at : tag.start()].split("\n")))
        at = tag.end()
        slash, name = tag.group(1) or "", (tag.group(2) or tag.group(0)).lower()
        if unseen:
            unseen = "" if slash + name in (f"/{unseen}", "-->") else unseen
        elif name in UNSEEN_TAGS and not slash:
            unseen = name
        elif name == "<!--":
            unseen = "a comment"
        if name in LINE_TAGS:
            pieces.append("\n")
    pieces.append("" if unseen else " ".join(text[at:].split("\n")))
    lines = (" ".join(line.split()) for line in html.unescape("".join(pieces)).split("\n"))
    return "\n".join(line for line in lines if line)


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
        elif word in UNSEEN_GROUPS or (word or "")[:6] in ("header", "footer") or sign == "*":
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
