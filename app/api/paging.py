"""Cursor paging: opaque, signed cursors that are good for one tenant and one list."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from flask import current_app, request

from app.auth.current import current_viewer
from app.errors import InvalidInput

T = TypeVar("T")

DEFAULT_LIMIT = 100
MOST = 1000
SIGNATURE_BYTES = 16


@dataclass(frozen=True)
class Page:
    """What the caller asked for: at most `limit` things after `after` (the last key seen; None = from the start)."""

    limit: int
    after: Any = None


def requested_page(list_name: str) -> Page:
    """The page of this request (`limit`, `cursor`); raises InvalidInput for a cursor that we did not issue for it."""
    try:
        limit = int(request.args.get("limit", DEFAULT_LIMIT))
    except ValueError:
        raise InvalidInput("limit", "must be a whole number") from None
    if not 1 <= limit <= MOST:
        raise InvalidInput("limit", f"must be from 1 to {MOST}")
    cursor = request.args.get("cursor")
    return Page(limit, _open(list_name, cursor) if cursor else None)


def page_of(list_name: str, items: Sequence[T], page: Page, key: Callable[[T], Any]) -> dict[str, Any]:
    """The answer of a list: `{"items", "next"}`.

    Give up to `page.limit + 1` items; the one too many says that there is a next page. `key` answers what `after` of
    the next page shall be: JSON values that name the last item's place in the order.
    """
    shown = items[: page.limit]
    has_more = len(items) > page.limit
    return {"items": shown, "next": cursor_for(list_name, key(shown[-1])) if has_more else None}


def cursor_for(list_name: str, after: Any) -> str:
    """An opaque cursor of the current viewer's tenant."""
    payload = msgspec.json.encode(after)
    return urlsafe_b64encode(_signature(list_name, payload) + payload).rstrip(b"=").decode()


def _open(list_name: str, cursor: str) -> Any:
    try:
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except (Base64Error, ValueError):
        raise InvalidInput("cursor", "is not one that this list gave out") from None
    signature, payload = raw[:SIGNATURE_BYTES], raw[SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _signature(list_name, payload)):
        raise InvalidInput("cursor", "is not one that this list gave out")
    return msgspec.json.decode(payload)


def _signature(list_name: str, payload: bytes) -> bytes:
    key = hashlib.sha256(b"cursor " + str(current_app.config["SECRET_KEY"]).encode()).digest()
    bound = f"{current_viewer().tenant}|{list_name}|".encode() + payload
    return hmac.new(key, bound, hashlib.sha256).digest()[:SIGNATURE_BYTES]
