"""Bytes of a tf.train.Example as its fields, without a copy of what they hold.

An Example is a map from names to lists of bytes, of floats or of integers, in the wire format of
protocol buffers (protobuf.dev/programming-guides/encoding).  What is not one is a ValueError.
"""

import struct
from collections.abc import Iterator
from typing import Any

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # types of the wire


def parse(record: bytes) -> dict[str, list[Any]]:
    """Values by name: memoryviews of the record, floats, or integers."""
    return {
        name: values
        for _, features in _fields(memoryview(record))
        for _, entry in _fields(features)
        for name, values in (_entry(entry),)
    }


def _entry(entry: memoryview) -> tuple[str, list[Any]]:
    found = dict(_fields(entry))
    kind, values = next(_fields(found[2]), (1, memoryview(b"")))
    return bytes(found[1]).decode(), _LISTS[kind](values)


def _texts(values: memoryview) -> list[memoryview]:
    return [value for _, value in _fields(values)]


def _floats(values: memoryview) -> list[float]:
    found = [value for _, value in _fields(values)]
    if not all(isinstance(value, memoryview) and len(value) % 4 == 0 for value in found):
        raise ValueError("floats are not of four bytes each")
    packed = b"".join(found)
    return [value for (value,) in struct.iter_unpack("<f", packed)]


def _ints(values: memoryview) -> list[int]:
    found = []
    for _, value in _fields(values):
        if isinstance(value, int):
            found.append(value)
        else:  # packed
            at = 0
            while at < len(value):
                one, at = _varint(value, at)
                found.append(one)
    return [value - (1 << 64) if value >> 63 else value for value in found]


_LISTS = {1: _texts, 2: _floats, 3: _ints}


def _fields(message: memoryview) -> Iterator[tuple[int, Any]]:
    """Number and content of each field of a message."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        if key & 7 == VARINT:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        if key & 7 == BYTES:
            length, at = _varint(message, at)
        else:
            length = {FIXED32: 4, FIXED64: 8}[key & 7]
        if at + length > len(message):
            raise ValueError("a field is longer than its message")
        yield key >> 3, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Seven bits a byte, the lowest first; the number, and where it ends."""
    if (value := message[at]) < 0x80:
        return value, at + 1
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number is too long")
