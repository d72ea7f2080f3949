"""The hash chain of the audit log: what an entry's hash covers."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

FIRST_HASH = bytes(32)
# Above this a whole number may come back from JSON storage with other digits.
MOST_EXACT = 2**53


def entry_hash(
    *,
    tenant: int,
    at: datetime,
    facts: Sequence[str],
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    previous: bytes,
) -> bytes:
    """SHA-256 over everything an entry says and over the hash of the entry before it."""
    moment = at.astimezone(UTC).isoformat(timespec="microseconds")
    said = [tenant, moment, list(facts), storable(before), storable(after), previous.hex()]
    return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).digest()


def storable(value: Any) -> Any:
    """`value` as JSON holds it and gives it back unchanged: the same text after a round trip through the database."""
    if isinstance(value, Mapping):
        return {str(name): storable(item) for name, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [storable(item) for item in (sorted(value) if isinstance(value, (set, frozenset)) else value)]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return _number(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    # Postgres keeps no NUL in text.
    return str(value).replace("\0", "")


def _number(value: float) -> int | float | str:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if abs(value) < MOST_EXACT and value == int(value):
        return int(value)
    return float(value)
