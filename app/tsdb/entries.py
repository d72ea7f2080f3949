"""What one entry of the durable stream holds: a small header and packed columns, and where entries lie.

ingest/stream.py appends and reads them; app/tsdb/dead_letters.py looks at those that could not be stored.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import lz4.block
import msgspec
import numpy as np

from app import clock
from app.domain.samples import Float64s, Int64s
from app.domain.tenancy import TenantId
from app.errors import DecodeError
from app.tsdb.catalog import SLOTS_BITS

STREAM: Final = "ingest:{shard}"
DEAD: Final = "ingest:dead:{shard}"
VERSION: Final = 1
COMPRESS_ABOVE: Final = 4_096


class Header(msgspec.Struct, array_like=True):
    """What is told of an entry's columns."""

    version: int
    tenant: int
    size: int  # samples
    is_packed: bool  # LZ4
    checksum: int  # CRC-32 of the body as it stands in the stream
    accepted_ms: int
    source: str
    request_id: str


@dataclass(frozen=True)
class Columns:
    """An opened entry. `places`, `ts_ms` (n,) int64; `values` (n,) float64."""

    tenant: TenantId
    accepted_ms: int
    places: Int64s
    ts_ms: Int64s
    values: Float64s


def encode(
    tenant: TenantId, places: Int64s, ts_ms: Int64s, values: Float64s, *, source: str, request_id: str
) -> dict[bytes, bytes]:
    """The fields of an entry: header `h` and body `b` (groups int32 | slots uint8 | ts int64 | values float64)."""
    body = b"".join(
        (
            (places >> SLOTS_BITS).astype("<i4").tobytes(),
            (places & 0xFF).astype("u1").tobytes(),
            ts_ms.astype("<i8", copy=False).tobytes(),
            values.astype("<f8", copy=False).tobytes(),
        )
    )
    is_packed = len(body) > COMPRESS_ABOVE
    if is_packed:
        body = lz4.block.compress(body, store_size=False)
    header = Header(
        VERSION, tenant, len(values), is_packed, zlib.crc32(body), clock.now_ms(), source[:100], request_id[:100]
    )
    return {b"h": msgspec.msgpack.encode(header), b"b": body}


def header_of(fields: Mapping[bytes, bytes]) -> Header | None:
    """What an entry says of itself; None when it is unreadable."""
    try:
        return msgspec.msgpack.decode(fields.get(b"h", b""), type=Header)
    except msgspec.MsgspecError:
        return None


def opened(fields: Mapping[bytes, bytes], name: str) -> Columns:
    """The columns of an entry that is called `name`; raises DecodeError when it is not what encode() makes."""
    try:
        header = msgspec.msgpack.decode(fields[b"h"], type=Header)
        body = fields[b"b"]
        if header.version != VERSION:
            raise DecodeError("stream", f"entry {name}", f"version {header.version} is not known")
        if zlib.crc32(body) != header.checksum:
            raise DecodeError("stream", f"entry {name}", "the checksum is wrong")
        if header.is_packed:
            body = lz4.block.decompress(body, uncompressed_size=header.size * 21)
    except (KeyError, msgspec.MsgspecError, lz4.block.LZ4BlockError, OverflowError, ValueError) as error:
        raise DecodeError("stream", f"entry {name}", f"unreadable: {error}") from error
    if len(body) != header.size * 21:
        raise DecodeError("stream", f"entry {name}", "the length is wrong")
    return _unpack(header, body)


def _unpack(header: Header, body: bytes) -> Columns:
    size = header.size
    groups = np.frombuffer(body, "<i4", size)
    slots = np.frombuffer(body, "u1", size, offset=4 * size)
    return Columns(
        TenantId(header.tenant),
        header.accepted_ms,
        (groups.astype(np.int64) << SLOTS_BITS) | slots,
        np.frombuffer(body, "<i8", size, offset=5 * size),
        np.frombuffer(body, "<f8", size, offset=13 * size),
    )
