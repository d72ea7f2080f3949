"""The SNMP v2c agent of one simulated device: a datagram in, a datagram or silence out."""

from __future__ import annotations

from typing import Final

from app.demo.mib import Mib
from app.errors import DecodeError
from ingest.snmp.codec import (
    END_OF_MIB,
    GET,
    GETBULK,
    GETNEXT,
    NO_SUCH_OBJECT,
    V2C,
    Request,
    decode_request,
    encode_response,
    encode_value,
    encode_varbind,
)

# What one answer may hold. Real agents stop at about the size of a frame; on loopback more is still cheap.
MOST_OCTETS: Final = 8_000
_NO_SUCH_OBJECT: Final = encode_value(NO_SUCH_OBJECT, None)
_END_OF_MIB: Final = encode_value(END_OF_MIB, None)


def answer(mib: Mib, community: bytes, datagram: bytes, now_ms: int) -> bytes | None:
    """The response, or None: agents are silent about a wrong community and about what they cannot read."""
    try:
        request = decode_request(datagram)
    except DecodeError:
        return None
    if request.version != V2C or request.community != community:
        return None
    if request.kind == GET:
        return encode_response(request, [_get(mib, name, now_ms) for name in request.names])
    if request.kind == GETNEXT:
        return encode_response(request, [_next(mib, name, now_ms)[1] for name in request.names])
    if request.kind == GETBULK:
        return encode_response(request, _bulk(mib, request, now_ms))
    return None


def _get(mib: Mib, name: bytes, now_ms: int) -> bytes:
    place = mib.find(name)
    return encode_varbind(name, _NO_SUCH_OBJECT) if place is None else mib.varbind(place, now_ms)


def _next(mib: Mib, name: bytes, now_ms: int) -> tuple[bytes, bytes]:
    """The name that follows, and its varbind; the same name at the end."""
    place = mib.after(name)
    if place == len(mib.names):
        return name, encode_varbind(name, _END_OF_MIB)
    return mib.names[place], mib.varbind(place, now_ms)


def _bulk(mib: Mib, request: Request, now_ms: int) -> list[bytes]:
    """Source: RFC 3416 section 4.2.3; the answer is cut after MOST_OCTETS, which that section allows."""
    found = [_next(mib, name, now_ms)[1] for name in request.names[: request.non_repeaters]]
    names = list(request.names[request.non_repeaters :])
    octets = sum(map(len, found))
    for _ in range(request.repetitions if names else 0):
        row = [_next(mib, name, now_ms) for name in names]
        for _, varbind in row:
            octets += len(varbind)
            if octets > MOST_OCTETS:
                return found
            found.append(varbind)
        following = [name for name, _ in row]
        if following == names:
            return found
        names = following
    return found
