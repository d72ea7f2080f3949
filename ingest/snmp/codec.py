"""SNMP v1 and v2c messages, both directions: bytes in, values out.

The decoder forgives: a varbind that cannot be read costs that varbind alone, never its message. Names stay as the
octets they have on the wire (`bytes`), because almost all of them are only compared; values are (tag, octets) and
become numbers and text in values.py. Source: RFC 3416 (PDUs), RFC 1157 (v1), ITU-T X.690 (BER).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from app.errors import DecodeError, InvalidInput

Oid = tuple[int, ...]
# (name, tag, content); the tag BROKEN marks a varbind that could not be read, its name is empty or what was legible.
Varbind = tuple[bytes, int, bytes]

V1, V2C = 0, 1

GET, GETNEXT, RESPONSE, SET, TRAP_V1, GETBULK, INFORM, TRAP, REPORT = (
    0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7, 0xA8,
)  # fmt: skip

INTEGER, OCTETS, NULL, OBJECT_ID, SEQUENCE = 0x02, 0x04, 0x05, 0x06, 0x30
IP_ADDRESS, COUNTER32, GAUGE32, TIMETICKS, OPAQUE, COUNTER64 = 0x40, 0x41, 0x42, 0x43, 0x44, 0x46
NO_SUCH_OBJECT, NO_SUCH_INSTANCE, END_OF_MIB = 0x80, 0x81, 0x82
BROKEN: Final = -1

NO_ERROR, TOO_BIG, NO_SUCH_NAME, GEN_ERR = 0, 1, 2, 5

# The smallest request id: all ids take four octets, so a prepared request only needs its four octets replaced.
FIRST_ID, LAST_ID = 0x0100_0000, 0x7FFF_FFFF

_SIGNED: Final = frozenset({INTEGER})


@dataclass(frozen=True)
class Request:
    """What a manager asks: a GET, GETNEXT or GETBULK (or SET) of `names`.

    `request_id` is kept as the octets of its BER form, because an answer repeats it unchanged.
    `non_repeaters` and `repetitions` mean something in a GETBULK only.
    """

    version: int
    community: bytes
    kind: int
    request_id: bytes
    non_repeaters: int
    repetitions: int
    names: tuple[bytes, ...]


@dataclass(frozen=True)
class Response:
    """What an agent answered; `broken` counts the varbinds that could not be read."""

    version: int
    community: bytes
    kind: int
    request_id: int
    error_status: int
    error_index: int
    varbinds: list[Varbind]
    broken: int


@dataclass(frozen=True)
class Prepared:
    """A request that waits for its id: head + four octets + tail. Made once, sent every cycle."""

    head: bytes
    tail: bytes
    names: tuple[bytes, ...]

    def with_id(self, request_id: int) -> bytes:
        """The datagram; FIRST_ID <= request_id <= LAST_ID."""
        return self.head + request_id.to_bytes(4, "big") + self.tail


# --- object identifiers -----------------------------------------------------------------------------------------------


def parse_oid(dotted: str) -> Oid:
    """The numbers of "1.3.6.1" or ".1.3.6.1"; raises InvalidInput."""
    parts = dotted.strip().strip(".").split(".")
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise InvalidInput("oid", f"{dotted!r} is not an object identifier such as 1.3.6.1.2.1.1")
    return tuple(int(part) for part in parts)


def format_oid(oid: Iterable[int]) -> str:
    """The dotted form, without a dot in front."""
    return ".".join(map(str, oid))


def encode_oid(oid: Oid) -> bytes:
    """The content octets of an object identifier. A single number is encoded as if .0 followed it."""
    first = oid[0] * 40 + (oid[1] if len(oid) > 1 else 0)
    return b"".join(map(_encode_arc, (first, *oid[2:])))


def decode_oid(content: bytes) -> Oid:
    """The numbers of an object identifier; an unfinished last number is dropped. Numbers may pass 2**32."""
    arcs = decode_arcs(content)
    if not arcs:
        return ()
    top = min(arcs[0] // 40, 2)
    return (top, arcs[0] - 40 * top, *arcs[1:])


def decode_arcs(content: bytes) -> Oid:
    """The numbers of a part of an object identifier that follows its first octet, such as a row's index."""
    arcs = []
    value = 0
    for octet in content:
        value = value << 7 | octet & 127
        if octet < 128:
            arcs.append(value)
            value = 0
    return tuple(arcs)


def oid_octets(dotted: str) -> bytes:
    """encode_oid(parse_oid(dotted)), the form in which names are compared."""
    return encode_oid(parse_oid(dotted))


def encode_arcs(arcs: Iterable[int]) -> bytes:
    """The octets of a row's index, to be put behind a column's name."""
    return b"".join(map(_encode_arc, arcs))


# --- encoding ---------------------------------------------------------------------------------------------------------


def encode_tlv(tag: int, content: bytes) -> bytes:
    """Tag, length, content."""
    return bytes((tag,)) + _length(len(content)) + content


def encode_integer(value: int, tag: int = INTEGER) -> bytes:
    """A signed number; for INTEGER."""
    return encode_tlv(tag, value.to_bytes((value + (value < 0)).bit_length() // 8 + 1, "big", signed=True))


def encode_unsigned(value: int, tag: int) -> bytes:
    """A counter, gauge or TimeTicks (`tag`); 0 <= value."""
    return encode_tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def encode_value(tag: int, value: int | bytes | str | Oid | None) -> bytes:
    """One value in BER: numbers for the numeric tags, text or octets, an Oid for OBJECT_ID, None for the rest."""
    if isinstance(value, int):
        return encode_integer(value) if tag in _SIGNED else encode_unsigned(value, tag)
    if isinstance(value, str):
        return encode_tlv(tag, value.encode())
    if isinstance(value, bytes):
        return encode_tlv(tag, value)
    return encode_tlv(tag, b"" if value is None else encode_oid(value))


def encode_varbind(name: bytes, value: bytes) -> bytes:
    """One varbind: `name` as content octets, `value` as a whole BER value."""
    return encode_tlv(SEQUENCE, encode_tlv(OBJECT_ID, name) + value)


def prepare(
    kind: int,
    names: Sequence[bytes],
    *,
    community: bytes,
    version: int = V2C,
    non_repeaters: int = 0,
    repetitions: int = 0,
) -> Prepared:
    """A GET, GETNEXT or GETBULK without its request id."""
    null = bytes((NULL, 0))
    varbinds = encode_tlv(SEQUENCE, b"".join(encode_varbind(name, null) for name in names))
    tail = encode_integer(non_repeaters) + encode_integer(repetitions) + varbinds
    body = b"\x02\x04"
    pdu_head = bytes((kind,)) + _length(len(body) + 4 + len(tail)) + body
    front = encode_integer(version) + encode_tlv(OCTETS, community) + pdu_head
    return Prepared(bytes((SEQUENCE,)) + _length(len(front) + 4 + len(tail)) + front, tail, tuple(names))


def encode_response(
    request: Request, varbinds: Iterable[bytes], *, error_status: int = NO_ERROR, error_index: int = 0
) -> bytes:
    """An agent's answer to `request`; `varbinds` come from encode_varbind()."""
    listed = encode_tlv(SEQUENCE, b"".join(varbinds))
    pdu = request.request_id + encode_integer(error_status) + encode_integer(error_index) + listed
    front = encode_integer(request.version) + encode_tlv(OCTETS, request.community)
    return encode_tlv(SEQUENCE, front + encode_tlv(RESPONSE, pdu))


# --- decoding ---------------------------------------------------------------------------------------------------------


def decode_request(data: bytes) -> Request:
    """A manager's message, as an agent reads it; raises DecodeError."""
    version, community, kind, at, end = _open_message(data)
    start = at
    at, _ = _integer(data, at, end)
    request_id = data[start:at]
    at, non_repeaters = _integer(data, at, end)
    at, repetitions = _integer(data, at, end)
    at, end = _enter(data, at, end, SEQUENCE)
    varbinds, _ = _varbinds(data, at, end)
    names = tuple(name for name, _, _ in varbinds)
    return Request(version, community, kind, request_id, max(non_repeaters, 0), max(repetitions, 0), names)


def decode_response(data: bytes) -> Response:
    """An agent's message; raises DecodeError where even its frame cannot be read (a broken or cut datagram)."""
    version, community, kind, at, end = _open_message(data)
    at, request_id = _integer(data, at, end)
    at, error_status = _integer(data, at, end)
    at, error_index = _integer(data, at, end)
    at, end = _enter(data, at, end, SEQUENCE)
    varbinds, broken = _varbinds(data, at, end)
    return Response(version, community, kind, request_id, error_status, error_index, varbinds, broken)


def _open_message(data: bytes) -> tuple[int, bytes, int, int, int]:
    """Version, community, kind of PDU, and where its content starts and ends."""
    at, end = _enter(data, 0, len(data), SEQUENCE)
    at, version = _integer(data, at, end)
    if version not in (V1, V2C):
        raise DecodeError("snmp", f"octet {at}", f"version {version} is neither v1 nor v2c")
    start, stop = _enter(data, at, end, OCTETS)
    community = data[start:stop]
    kind = data[stop] if stop < end else 0
    at, end = _enter(data, stop, end, kind)
    return version, community, kind, at, end


def _varbinds(data: bytes, at: int, end: int) -> tuple[list[Varbind], int]:
    """All varbinds between `at` and `end`, in order and one for one, and how many of them are broken.

    The order matters: in an answer to a GETBULK the place tells the column. A broken one keeps its place.
    """
    found: list[Varbind] = []
    append = found.append
    broken = 0
    while at < end:
        # Written out, without calls: a poller spends its time in these lines.
        name = b""
        stop = end
        try:
            length = data[at + 1]
            at += 2
            if length > 127:
                at, length = _long_length(data, at, length)
            stop = at + length
            if stop > end:
                broken += 1  # its length cannot be trusted, so neither can anything behind it
                break
            length = data[at + 1]
            start = at + 2
            if length > 127:
                start, length = _long_length(data, start, length)
            value = start + length
            if data[at] == OBJECT_ID and value <= stop:
                name = data[start:value]
            length = data[value + 1]
            start = value + 2
            if length > 127:
                start, length = _long_length(data, start, length)
            if start + length <= stop and name:
                append((name, data[value], data[start : start + length]))
            else:
                broken += 1
                append((name, BROKEN, b""))
        except IndexError:
            broken += 1
            append((name, BROKEN, b""))
        at = stop
    return found, broken


def _enter(data: bytes, at: int, end: int, tag: int) -> tuple[int, int]:
    """Where the content of the value at `at` starts and ends; raises DecodeError unless it is a `tag` that fits."""
    if at + 2 > end or data[at] != tag:
        raise DecodeError("snmp", f"octet {at}", f"expected a value with tag {tag:#04x}")
    start, length = at + 2, data[at + 1]
    if length > 127:
        try:
            start, length = _long_length(data, start, length)
        except IndexError:
            raise DecodeError("snmp", f"octet {at}", "the length is cut off") from None
    if start + length > end:
        raise DecodeError("snmp", f"octet {at}", "the value is longer than what holds it")
    return start, start + length


def _integer(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Where the next value starts, and the INTEGER at `at`."""
    start, stop = _enter(data, at, end, INTEGER)
    return stop, int.from_bytes(data[start:stop], "big", signed=True)


def _long_length(data: bytes, at: int, first: int) -> tuple[int, int]:
    """Where the content starts and its length, for a length of more than one octet; IndexError when cut off."""
    octets = first & 127
    if octets == 0 or at + octets > len(data):
        raise IndexError("length")
    return at + octets, int.from_bytes(data[at : at + octets], "big")


def _length(length: int) -> bytes:
    if length < 128:
        return bytes((length,))
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((0x80 | len(octets),)) + octets


def _encode_arc(arc: int) -> bytes:
    if arc < 128:
        return bytes((arc,))
    octets = [arc & 127]
    while arc := arc >> 7:
        octets.append(128 | arc & 127)
    return bytes(reversed(octets))
