"""Exemplars in the store: the newest of each tenant; one that is sent twice is kept once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec
from sqlalchemy import text

from app.domain.exemplars import Exemplar
from app.domain.labels import Matcher, labels_of, value_of
from app.domain.tenancy import TenantId
from models.session import tenant_connection

# As many as Prometheus keeps by default.
KEPT: Final = 100_000
MOST_ANSWERED: Final = 10_000

_ADD = text(
    "insert into exemplars (tenant_id, at, series, labels, value, digest)"
    " select :tenant, a, s::jsonb, l::jsonb, v, d from unnest(cast(:at as timestamptz[]), cast(:series as text[]),"
    " cast(:labels as text[]), cast(:values as double precision[]), cast(:digests as bytea[])) x(a, s, l, v, d)"
    " order by d on conflict (tenant_id, digest) do nothing"
)
# Uses exemplars_recent_idx.
_SELECT = text(
    "select at, series, labels, value from exemplars where tenant_id = :tenant and at between :start and :end"
    " order by at limit :most"
)
_TRIM = text(
    "delete from exemplars where tenant_id = :tenant and id <= (select id from exemplars"
    " where tenant_id = :tenant order by id desc offset :kept limit 1)"
)


def add(tenant: TenantId, exemplars: Sequence[Exemplar]) -> None:
    """Keep exemplars; when this returns they survive the death of every process."""
    parameters = {
        "tenant": tenant,
        "at": [datetime.fromtimestamp(each.ts_ms / 1000, UTC) for each in exemplars],
        "series": [msgspec.json.encode(dict(each.series)).decode() for each in exemplars],
        "labels": [msgspec.json.encode(dict(each.labels)).decode() for each in exemplars],
        "values": [each.value for each in exemplars],
        "digests": [_digest(each) for each in exemplars],
    }
    with tenant_connection(tenant) as connection:
        connection.execute(_ADD, parameters)


def select(tenant: TenantId, matchers: Sequence[Matcher], *, start_ms: int, end_ms: int) -> list[Exemplar]:
    """The exemplars of the series that match, in [start_ms, end_ms], oldest first, at most MOST_ANSWERED."""
    moments = {name: datetime.fromtimestamp(ms / 1000, UTC) for name, ms in (("start", start_ms), ("end", end_ms))}
    with tenant_connection(tenant) as connection:
        rows = connection.execute(_SELECT, {"tenant": tenant, "most": KEPT, **moments}).all()
    found = []
    for row in rows:
        series = labels_of(row.series)
        if all(matcher.matches(value_of(series, matcher.name)) for matcher in matchers):
            found.append(Exemplar(series, labels_of(row.labels), round(row.at.timestamp() * 1000), row.value))
    return found[:MOST_ANSWERED]


def trim(tenant: TenantId) -> int:
    """Delete all but the newest; answers how many."""
    with tenant_connection(tenant) as connection:
        return connection.execute(_TRIM, {"tenant": tenant, "kept": KEPT}).rowcount


def _digest(exemplar: Exemplar) -> bytes:
    facts = (exemplar.series, exemplar.labels, exemplar.ts_ms, repr(exemplar.value))
    return hashlib.blake2b(msgspec.json.encode(facts), digest_size=16).digest()
