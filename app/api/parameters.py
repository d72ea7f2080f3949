"""What stands in a request's query string, by kind; raises InvalidInput that names the parameter."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from flask import request

from app.errors import InvalidInput

LONGEST_TEXT: Final = 300


def text_parameter(name: str) -> str:
    """A word to look for; "" when it is left out."""
    value = request.args.get(name, "")
    if "\0" in value or len(value) > LONGEST_TEXT:
        raise InvalidInput(name, "is not such a value")
    return value


def moment_parameter(name: str) -> datetime | None:
    """A time with its zone, as RFC 3339 writes it; None when it is left out."""
    value = request.args.get(name, "")
    if not value:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise InvalidInput(name, "must be a time as in RFC 3339, such as 2026-11-24T12:00:00Z") from None
    if moment.tzinfo is None:
        raise InvalidInput(name, "needs its zone (Z or +01:00)")
    return moment
