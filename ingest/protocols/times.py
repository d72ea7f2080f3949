"""Times as senders write them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Times beyond (about the years 1684 and 2255) are a mistake in the unit.
FURTHEST_MS: Final = 9_000_000_000_000


def moment_of(text: str) -> datetime:
    """A time as RFC 3339 writes it; raises ValueError with the words for the sender."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("ts is neither milliseconds nor RFC 3339") from None
    if moment.tzinfo is None:
        raise ValueError("ts has no time zone")
    return moment
