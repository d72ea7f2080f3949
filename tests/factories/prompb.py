"""Remote write requests byte by byte, in every shape that senders choose."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import cramjam

from app.domain.labels import encode_labels, labels_of, length

Series = tuple[Mapping[str, str], Sequence[tuple[int, float]]]


def varint(value: int) -> bytes:
    """A number as protobuf writes it; negative ones take ten bytes."""
    return length(value & 0xFFFF_FFFF_FFFF_FFFF)


def message(number: int, content: bytes) -> bytes:
    """A length-delimited field."""
    return length(number << 3 | 2) + length(len(content)) + content


def sample(ts_ms: int, value: float) -> bytes:
    """A Sample as Go writes it: fields that are zero are left out."""
    bits = struct.pack("<d", value)
    out = b"\x09" + bits if bits != bytes(8) else b""
    return out + (b"\x10" + varint(ts_ms) if ts_ms else b"")


def write_request(series: Sequence[Series], *, extra: bytes = b"") -> bytes:
    """A WriteRequest of version 1.0, not compressed; `extra` fields go into each series."""
    out = b""
    for labels, samples in series:
        content = encode_labels(labels_of(labels)) + b"".join(message(2, sample(*pair)) for pair in samples)
        out += message(1, content + extra)
    return out


def metadata(kind: int, metric: str, about: str, unit: str) -> bytes:
    """The metadata field of a WriteRequest."""
    content = b"\x08" + varint(kind) + message(2, metric.encode())
    return message(3, content + message(4, about.encode()) + message(5, unit.encode()))


def write_request_2(series: Sequence[Series], *, about: str = "", extra: bytes = b"") -> bytes:
    """A Request of version 2.0, not compressed."""
    symbols: dict[str, int] = {"": 0}
    body = b""
    for labels, samples in series:
        references = [symbols.setdefault(text, len(symbols)) for pair in labels_of(labels) for text in pair]
        content = message(1, b"".join(varint(reference) for reference in references))
        content += b"".join(message(2, sample(*pair)) for pair in samples)
        if about:
            reference = symbols.setdefault(about, len(symbols))
            content += message(5, b"\x08\x02\x18" + varint(reference))
        body += message(5, content + extra)
    return b"".join(message(4, text.encode()) for text in symbols) + body


def snappy(body: bytes) -> bytes:
    """Compressed as the protocol has it."""
    return bytes(cramjam.snappy.compress_raw(body))
