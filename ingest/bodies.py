"""The body of a request, decompressed, with a limit on its size before and while it grows."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Final

import cramjam
import zstandard
from flask import Request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from app.errors import DecodeError, TooLarge, UnknownContentType
from ingest.limits import MOST_BODY_BYTES, MOST_PLAIN_BYTES


def plain_body(request: Request, *, encodings: frozenset[str], default: str, most_bytes: int = 0) -> bytes:
    """The decompressed body; `default` is what a request without Content-Encoding means.

    `most_bytes` is what the tenant may send at once; 0 leaves it to the limit for everybody.

    Raises UnknownContentType for an encoding that is not among `encodings`, TooLarge, or DecodeError.
    """
    encoding = request.headers.get("Content-Encoding", "").strip().lower() or default
    if encoding not in encodings:
        raise UnknownContentType(f"content encoding {encoding} is not one of {', '.join(sorted(encodings))}")
    most = min(most_bytes or MOST_BODY_BYTES, MOST_BODY_BYTES)
    return decompress(_sent(request, most), encoding, MOST_PLAIN_BYTES)


def _sent(request: Request, most: int) -> bytes:
    """The body as it was sent, of at most `most` bytes."""
    length = request.content_length
    if length is not None and length <= most:
        # At once; get_data() copies it several times in small pieces.
        body: bytes = request.environ["wsgi.input"].read(length)
        if len(body) < length:
            raise ClientDisconnected
        return body
    request.max_content_length = most
    try:
        return request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise TooLarge(f"the body is larger than {most} bytes") from None


def decompress(body: bytes, encoding: str, most_bytes: int) -> bytes:
    """The body without its compression; raises TooLarge as soon as it is known to be, or DecodeError."""
    plain = DECOMPRESSORS[encoding](body, most_bytes)
    if len(plain) > most_bytes:
        raise TooLarge(f"the body is larger than {most_bytes} bytes when decompressed")
    return plain


def _identity(body: bytes, _most: int) -> bytes:
    return body


def _gzip(body: bytes, most: int) -> bytes:
    out = bytearray()
    try:
        while body:  # a gzip file may hold several members
            stream = zlib.decompressobj(wbits=31)
            out += stream.decompress(body, most + 1 - len(out))
            if len(out) > most:
                break
            if not stream.eof:
                raise DecodeError("gzip", "body", "cut off")
            body = stream.unused_data
    except zlib.error as error:
        raise DecodeError("gzip", "body", str(error)) from None
    return bytes(out)


def _zstd(body: bytes, most: int) -> bytes:
    # The window bounds the memory that a hostile frame can ask for.
    decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 23)
    try:
        with decompressor.stream_reader(BytesIO(body), read_across_frames=True) as reader:
            plain = reader.read(most + 1)
    except zstandard.ZstdError as error:
        raise DecodeError("zstd", "body", str(error)) from None
    return plain


def _snappy(body: bytes, most: int) -> bytes:
    """The block format, which begins with the length of what follows."""
    declared = shift = 0
    for byte in body[:5]:
        declared |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    else:
        raise DecodeError("snappy", "body", "no length at the start")
    if declared > most:
        raise TooLarge(f"the body is larger than {most} bytes when decompressed")
    try:
        return bytes(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError as error:
        raise DecodeError("snappy", "body", str(error)) from None


DECOMPRESSORS: Final[Mapping[str, Callable[[bytes, int], bytes]]] = {
    "identity": _identity,
    "gzip": _gzip,
    "zstd": _zstd,
    "snappy": _snappy,
}
