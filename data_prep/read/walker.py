"""A header walker for the common case: little endian, explicit or implicit VR.

It reads the few elements that are asked for and skips the rest, sequences too, more than ten
times as fast as building a pydicom data set.  Anything unusual makes it step aside (`None`) for
pydicom.  PS3.5 sections 7.1-7.5 and PS3.10 section 7.1.
"""

import dataclasses
import struct

# Value representations whose length takes two bytes, and those where it takes four (PS3.5 7.1.2).
SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
LONG_VRS = frozenset(b"OB OW OF OD OL OV SQ UN UT UC UR SV UV".split())
SHORT_ELEMENT = struct.Struct("<HH2sH").unpack_from  # group, element, representation, length
IMPLICIT_ELEMENT = struct.Struct("<HHI").unpack_from  # group, element, length
LENGTH = struct.Struct("<I").unpack_from
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
NATIVE = frozenset((EXPLICIT, IMPLICIT))
ENCAPSULATED = "1.2.840.10008.1.2.4."  # and RLE
RLE = "1.2.840.10008.1.2.5"
TRANSFER_SYNTAX = 0x00020010
PIXEL_DATA = 0x7FE00010
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
UNDEFINED = 0xFFFFFFFF
DEEPEST = 16  # of sequences in sequences; real files stay far below


@dataclasses.dataclass(frozen=True)
class Walk:
    """Raw values by tag, the transfer syntax, and where the pixels lie in the file.

    `pixel_length` is -1 where the pixels are encapsulated (compressed).
    """

    values: dict[int, bytes]
    transfer_syntax: str
    pixel_offset: int
    pixel_length: int


class Unusual(Exception):
    """The walker steps aside."""


def walk(head: bytes, wanted: frozenset[int]) -> Walk | None:
    """Reads the `wanted` tags from the start of a DICOM file; None where pydicom must look."""
    try:
        syntax, position = read_meta(head)
        explicit = looks_explicit(head, position)
        if syntax in NATIVE or not syntax:  # some writers say one and do the other
            syntax = EXPLICIT if explicit else IMPLICIT
        elif not explicit or not (syntax.startswith(ENCAPSULATED) or syntax == RLE):
            return None
        values, position = _elements(head, position, explicit, wanted, stop=PIXEL_DATA)
        offset, length = _pixel_element(head, position, explicit)
    except (struct.error, UnicodeDecodeError, Unusual):
        return None
    if (length == UNDEFINED) == (syntax in NATIVE):
        return None
    return Walk(values, syntax, offset, -1 if length == UNDEFINED else length)


def read_meta(head: bytes) -> tuple[str, int]:
    """(transfer syntax or "", where the data set starts).  A preamble may be missing."""
    start = 132 if head[128:132] == b"DICM" else 0
    if head[start : start + 2] != b"\x02\x00":  # no file meta information
        return "", start
    wanted = frozenset([TRANSFER_SYNTAX])
    meta, position = _elements(head, start, True, wanted, stop=0x00030000)
    return meta.get(TRANSFER_SYNTAX, b"").decode("ascii").strip("\0 "), position


def looks_explicit(head: bytes, position: int) -> bool:
    """Whether the element at `position` writes its value representation."""
    vr = head[position + 4 : position + 6]
    return vr.isalpha() and vr.isupper()


def _pixel_element(head: bytes, position: int, explicit: bool) -> tuple[int, int]:
    if IMPLICIT_ELEMENT(head, position)[:2] != (PIXEL_DATA >> 16, PIXEL_DATA & 0xFFFF):
        raise Unusual
    start = position + (12 if explicit else 8)
    return start, LENGTH(head, start - 4)[0]


def _elements(head: bytes, position: int, explicit: bool, wanted: frozenset[int], stop: int):
    """Elements from `position` up to the first tag >= stop: ({tag: value}, where that tag is)."""
    values: dict[int, bytes] = {}
    last, end = 0, len(head) - 8
    while position <= end:
        group, element, vr, length = SHORT_ELEMENT(head, position)
        tag = group << 16 | element
        if tag >= stop:
            return values, position
        if tag < last:  # out of order, or not at an element
            raise Unusual
        last = tag
        if explicit and vr in SHORT_VRS:  # nearly all: without a call
            start = position + 8
        else:
            start, length = _extent(head, position, explicit)
        if length == UNDEFINED:
            position = _skip_sequence(head, start, explicit, depth=1)
            continue
        position = start + length
        if tag in wanted:
            values[tag] = head[start:position]
    raise Unusual


def _extent(head: bytes, position: int, explicit: bool) -> tuple[int, int]:
    """Where the value of the element at `position` starts, and its length."""
    _, _, vr, length = SHORT_ELEMENT(head, position)
    if not explicit:
        return position + 8, LENGTH(head, position + 4)[0]
    if vr in LONG_VRS:
        (length,) = LENGTH(head, position + 8)
        if length == UNDEFINED and vr != b"SQ":  # its content is in another syntax
            raise Unusual
        return position + 12, length
    if not (vr.isalpha() and vr.isupper()):
        raise Unusual
    return position + 8, length


def _skip_sequence(head: bytes, position: int, explicit: bool, depth: int) -> int:
    """Where the element after a sequence of undefined length starts."""
    if depth > DEEPEST:
        raise Unusual
    while True:
        tag, length = _item(head, position)
        position += 8
        if tag == SEQUENCE_END:
            return position
        if tag != ITEM:
            raise Unusual
        if length != UNDEFINED:
            position += length
            continue
        while _item(head, position)[0] != ITEM_END:
            position, length = _extent(head, position, explicit)
            if length == UNDEFINED:
                position = _skip_sequence(head, position, explicit, depth + 1)
            else:
                position += length
        position += 8


def _item(head: bytes, position: int) -> tuple[int, int]:
    group, element, length = IMPLICIT_ELEMENT(head, position)
    return group << 16 | element, length
