"""What OTLP/HTTP senders are told: ExportMetricsServiceResponse, or google.rpc.Status when it failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from app.domain.labels import length

# HTTP status -> google.rpc.Code.
CODES: Final[Mapping[int, int]] = {400: 3, 401: 16, 403: 7, 413: 3, 415: 3, 429: 8, 503: 14}
UNKNOWN: Final = 2


def answer(rejected: int, reasons: str, *, is_json: bool) -> bytes:
    """Success, partial when data points were refused."""
    if is_json:
        partial = {"rejectedDataPoints": str(rejected), "errorMessage": reasons}
        return msgspec.json.encode({"partialSuccess": partial} if rejected else {})
    if not rejected:
        return b""
    text = reasons.encode()
    partial_success = b"\x08" + length(rejected) + b"\x12" + length(len(text)) + text
    return b"\x0a" + length(len(partial_success)) + partial_success


def status(http_status: int, message: str, *, is_json: bool) -> bytes:
    """A failure with its reason."""
    code = CODES.get(http_status, UNKNOWN)
    if is_json:
        return msgspec.json.encode({"code": code, "message": message})
    text = message.encode()
    return b"\x08" + length(code) + b"\x12" + length(len(text)) + text
