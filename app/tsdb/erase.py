"""The end of a tenant: its rows, its objects, what waits in the stream, what Valkey remembers.

Shown by counts: what there was, and what is left, which is nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import text

from app.domain.tenancy import TenantId
from app.objects import objects
from app.tsdb import blocks
from app.tsdb.entries import DEAD, STREAM
from app.tsdb.layout import MOST_SHARDS
from app.valkey import valkey
from models.session import platform_session

# What Valkey remembers of a tenant.
KEYS: Final = (
    "alerts:expire:{tenant}",
    "ingest:answer:{tenant}:*",
    "ingest:places:{tenant}",
    "lease:*:{tenant}",
    "ml:*:{tenant}",
    "ml:*:{tenant}:*",
    "notify:queued:{tenant}:*",
    "queued:*:{tenant}",
    "quota:series:{tenant}",
    "quota:{tenant}",
    "rules:queued:{tenant}:*",
)
_AT_ONCE: Final = 500

_COUNT = text("select name, row_count from watchfloor_tenant_rows(:tenant)")
_ERASE = text("select watchfloor_erase_tenant(:tenant)")
_MEMBERS = text("select user_id from memberships where tenant_id = :tenant")
_STRANGERS = text(
    "delete from users u where u.id = any(cast(:people as int[])) and not u.is_platform_admin"
    " and not exists (select from memberships m where m.user_id = u.id)"
)


def counts(tenant: TenantId) -> dict[str, int]:
    """What there is of a tenant: rows by table, objects, stream entries, dead letters, keys. Zeroes are left out."""
    with platform_session() as session:
        found = {row.name: row.row_count for row in session.execute(_COUNT, {"tenant": tenant})}
    found["(objects)"] = len(objects().paths(_folder(tenant)))
    found["(waiting in the stream)"] = sum(1 for _ in _entries(STREAM, tenant))
    found["(dead letters)"] = sum(1 for _ in _entries(DEAD, tenant))
    found["(keys in Valkey)"] = sum(1 for _ in _keys(tenant))
    return {name: count for name, count in found.items() if count}


def erase(tenant: TenantId) -> Mapping[str, int]:
    """Erase all of a closed tenant; answers what is left, which is nothing unless something came meanwhile.

    The caller has the tenant's turn: retention or restoring would write what was erased a moment ago.
    """
    for _ in erase_steps(tenant):
        pass
    return counts(tenant)


def erase_steps(tenant: TenantId) -> Iterator[str]:
    """The same step by step.

    Rows go last: until then the tenant is listed, and an erasure that a crash broke off is begun again.
    """
    for name, entry_id in [*_entries(STREAM, tenant), *_entries(DEAD, tenant)]:
        valkey().xdel(name, entry_id)
    yield "entries"
    for key in list(_keys(tenant)):
        valkey().delete(key)
    yield "keys"
    for path in objects().paths(_folder(tenant)):
        objects().delete(path)
    yield "objects"
    with platform_session() as session:
        blocks.lock(session.connection(), tenant)  # what is being compacted is in one table, or in the other
        people = list(session.scalars(_MEMBERS, {"tenant": tenant}))
        session.execute(_ERASE, {"tenant": tenant})
        session.execute(_STRANGERS, {"people": people})
    yield "rows"


def _folder(tenant: TenantId) -> str:
    return f"tenant={tenant}"


def _keys(tenant: TenantId) -> Iterator[bytes]:
    for pattern in KEYS:
        yield from valkey().scan_iter(match=pattern.format(tenant=tenant), count=_AT_ONCE)


def _entries(stream: str, tenant: TenantId) -> Iterator[tuple[str, bytes]]:
    """The entries of a tenant in all shards: stream and id of each."""
    for shard in range(MOST_SHARDS):
        name, after = stream.format(shard=shard), "-"
        while entries := _page(name, after):
            yield from ((name, entry_id) for entry_id, fields in entries if _owner(fields) == tenant)
            after = "(" + entries[-1][0].decode()


def _page(name: str, after: str) -> list[tuple[bytes, dict[bytes, bytes]]]:
    found: Any = valkey().xrange(name, min=after, count=_AT_ONCE)
    return list(found)


def _owner(fields: Mapping[bytes, bytes]) -> int:
    """The tenant of an entry, which its header says; 0 when it cannot be read."""
    try:
        header: Any = msgspec.msgpack.decode(fields.get(b"h", b""))
    except msgspec.DecodeError:
        return 0
    return int(header[1]) if isinstance(header, list) and len(header) > 1 and isinstance(header[1], int) else 0
