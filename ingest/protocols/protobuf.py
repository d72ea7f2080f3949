"""Reading protobuf messages by hand: fields one by one, nothing about what they mean."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from app.errors import DecodeError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_DOUBLE: Final = struct.Struct("<d")


class Field(NamedTuple):
    """One field. Its content is data[start:stop]; of a varint also `value`."""

    number: int
    wire: int
    start: int
    stop: int
    value: int


def fields(protocol: str, data: bytes, at: int, end: int) -> Iterator[Field]:
    """The fields of the message data[at:end]; raises DecodeError where it is none."""
    while at < end:
        tag, start = varint(protocol, data, at, end)
        number, wire, value = tag >> 3, tag & 7, 0
        if wire == VARINT:
            value, stop = varint(protocol, data, start, end)
        elif wire == FIXED64:
            stop = start + 8
        elif wire == BYTES:
            size, start = varint(protocol, data, start, end)
            stop = start + size
        elif wire == FIXED32:
            stop = start + 4
        else:
            raise DecodeError(protocol, f"byte {at}", f"wire type {wire}")
        if stop > end or number == 0:
            raise DecodeError(protocol, f"byte {at}", "cut off" if number else "field number 0")
        yield Field(number, wire, start, stop, value)
        at = stop


def varint(protocol: str, data: bytes, at: int, end: int) -> tuple[int, int]:
    """The unsigned number at `at`, and where it ends."""
    value = shift = 0
    for place in range(at, min(end, at + 10)):
        value |= (data[place] & 0x7F) << shift
        if data[place] < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, place + 1
        shift += 7
    raise DecodeError(protocol, f"byte {at}", "cut off")


def signed(value: int) -> int:
    """A varint as int64."""
    return value - (1 << 64) if value >> 63 else value


def double(data: bytes, field: Field) -> float:
    """A fixed64 field as float64, every bit kept."""
    number: float = _DOUBLE.unpack_from(data, field.start)[0]
    return number
