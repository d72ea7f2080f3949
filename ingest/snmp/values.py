"""What an SNMP value means: numbers, text, addresses. Values in, values out.

Agents break the rules in known ways (a counter sent as a negative integer, text that is not UTF-8, a float
hidden in an Opaque); each is read as what its sender meant.
"""

from __future__ import annotations

import ipaddress
import math
import struct

from ingest.snmp import codec

Value = int | float | str | None

TYPE_NAMES = {
    codec.INTEGER: "INTEGER",
    codec.OCTETS: "STRING",
    codec.NULL: "NULL",
    codec.OBJECT_ID: "OID",
    codec.IP_ADDRESS: "IpAddress",
    codec.COUNTER32: "Counter32",
    codec.GAUGE32: "Gauge32",
    codec.TIMETICKS: "Timeticks",
    codec.OPAQUE: "Opaque",
    codec.COUNTER64: "Counter64",
    codec.NO_SUCH_OBJECT: "noSuchObject",
    codec.NO_SUCH_INSTANCE: "noSuchInstance",
    codec.END_OF_MIB: "endOfMibView",
    codec.BROKEN: "unreadable",
}
MISSING = frozenset({codec.NO_SUCH_OBJECT, codec.NO_SUCH_INSTANCE, codec.END_OF_MIB, codec.NULL, codec.BROKEN})

# net-snmp wraps floats in an Opaque: 9f 78 04 + 4 octets (float), 9f 79 08 + 8 octets (double).
_OPAQUE_FLOATS = {b"\x9f\x78\x04": ">f", b"\x9f\x79\x08": ">d"}


def number(tag: int, content: bytes) -> int | float | None:
    """The value as a number, or None when it is none.

    Counters, gauges and times are unsigned whatever their top bit says; an empty integer is 0, as its senders mean it.
    Text is read as a number where it is one ("42.5"), which some agents use for sensors.
    """
    if tag in (codec.COUNTER64, codec.GAUGE32, codec.TIMETICKS):
        return int.from_bytes(content, "big")
    if tag == codec.COUNTER32:
        # Some agents sign-extend to eight octets; a Counter32 has 32 bits however it is sent.
        return int.from_bytes(content, "big") & 0xFFFF_FFFF
    if tag == codec.INTEGER:
        return int.from_bytes(content, "big", signed=True)
    if tag == codec.OPAQUE:
        return opaque_float(content)
    if tag == codec.OCTETS:
        return _number_of_text(content)
    return None


def opaque_float(content: bytes) -> float | None:
    """The float inside an Opaque, or None."""
    form = _OPAQUE_FLOATS.get(content[:3])
    if form is None or len(content) != 3 + struct.calcsize(form):
        return None
    value: float = struct.unpack(form, content[3:])[0]
    return value


def text(content: bytes) -> str:
    """Octets as text: UTF-8 if valid, else Latin-1 if printable, else hexadecimal; trailing NULs go.

    Control characters other than tab and line breaks make it hexadecimal: it is no text then.
    """
    content = content.rstrip(b"\0")
    for encoding in ("utf-8", "latin-1"):
        try:
            decoded = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if all(char.isprintable() or char in "\t\r\n" for char in decoded):
            return decoded.strip()
    return content.hex(" ")


def mac(content: bytes) -> str:
    """An address of six octets as aa:bb:cc:dd:ee:ff; other lengths the same way; text is passed on."""
    if len(content) > 8 and all(32 <= octet < 127 for octet in content):
        return content.decode("ascii").strip().lower()
    return content.hex(":")


def ip_address(content: bytes) -> str:
    """4 octets as IPv4, 16 as IPv6, else hexadecimal."""
    if len(content) in (4, 16):
        return str(ipaddress.ip_address(content))
    return content.hex(":")


def value(tag: int, content: bytes) -> Value:
    """The value as people read it: a number, text, or None where the agent has none."""
    if tag in MISSING:
        return None
    if tag == codec.OCTETS:
        return text(content)
    if tag == codec.OBJECT_ID:
        return codec.format_oid(codec.decode_oid(content))
    if tag == codec.IP_ADDRESS:
        return ip_address(content)
    found = number(tag, content)
    return content.hex(" ") if found is None else found


def type_name(tag: int) -> str:
    """The name of a tag in listings."""
    return TYPE_NAMES.get(tag, f"tag {tag}")


def _number_of_text(content: bytes) -> float | None:
    try:
        found = float(content.strip(b"\0 \r\n\t"))
    except ValueError:
        return None
    return found if math.isfinite(found) else None
