"""What a JPEG stream says of itself, before a codec that trusts it (ITU-T T.81, annex B).

gdcm ends the whole process, not only the frame, where what stands before the scan makes it warn or
has more bits than it has room for.
"""

import struct

from pydicom.uid import JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1

SYNTAXES = frozenset((JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1))
START, SCAN = 0xD8, 0xDA
FRAMES = frozenset((0xC0, 0xC1, 0xC3))  # baseline, extended, lossless: what these syntaxes hold
TABLES = frozenset((0xC4, 0xDB, 0xDD))  # Huffman, quantisation, restart interval
REMARKS = frozenset((*range(0xE0, 0xF0), 0xFE))
JFIF = b"JFIF\0"


def check(stream: bytes, allocated: int) -> None:
    """An error unless its headers follow one another to a scan of at most so many bits."""
    position = 2
    if stream[:2] != bytes((0xFF, START)):
        raise ValueError("not JPEG")
    while True:
        mark, marker, length = struct.unpack_from(">BBH", stream, position)
        if mark == marker == 0xFF:  # filling before a marker
            position += 1
            continue
        content = stream[position + 4 : position + 2 + length]
        if mark != 0xFF or len(content) != length - 2:
            raise ValueError("not JPEG")
        if marker == SCAN:
            return
        if marker in FRAMES:
            if content[0] > allocated:
                raise ValueError("more bits than the object has")
        elif marker not in TABLES | REMARKS:
            raise ValueError("a kind of JPEG that the syntax does not have")
        elif content.startswith(JFIF) and content[len(JFIF)] not in (1, 2):
            raise ValueError("JFIF of an unknown revision")
        position += 2 + length
