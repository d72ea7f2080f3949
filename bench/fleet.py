"""A tenant in a database of its own with many series, for benchmarks of what is done with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import msgspec
import numpy as np
from redis import Redis
from sqlalchemy import text

from app.domain.labels import encode_labels, labels_of
from app.domain.samples import Float64s
from app.domain.tenancy import TenantId
from app.tsdb import writer
from app.valkey import use_valkey
from models.session import close_database, open_database, platform_session, tenant_connection
from models.tenants import TenantRow
from tests.factories.servers import SECRET_KEY, create_database, drop_database, embedded_servers, migrate

# Series of a group.
WIDTH: Final = 200

_GROUPS = text(
    "insert into series_groups (tenant_id, group_key, ordinal, slots, created_at)"
    " select :tenant, 'device-' || n, 0, :width, now() - interval '1 day'"
    " from generate_series(1, :count) n returning id"
)
_SERIES = text(
    "insert into series (tenant_id, group_id, slot, key, labels) select :tenant, * from"
    " unnest(cast(:groups as int[]), cast(:slots as int[]), cast(:keys as bytea[]), cast(:labels as jsonb[]))"
)


@contextmanager
def tenant() -> Iterator[TenantId]:
    """A tenant; servers and database last as long as the block."""
    with embedded_servers() as servers:
        use_valkey(Redis.from_url(servers.redis_url))
        url = create_database(servers)
        migrate(url)
        open_database(url, role="worker", secret_key=SECRET_KEY)
        try:
            with platform_session() as session:
                row = TenantRow(name="acme", title="Acme")
                session.add(row)
                session.flush()
                made = TenantId(row.id)
            yield made
        finally:
            close_database()
            drop_database(servers, url)


def catalogue(tenant: TenantId, series: int) -> list[int]:
    """Groups of WIDTH gauges, made a day ago and written as the catalogue would; answers their ids."""
    with tenant_connection(tenant) as connection:
        groups = list(connection.scalars(_GROUPS, {"tenant": tenant, "width": WIDTH, "count": series // WIDTH}))
        for number, group_id in enumerate(groups):
            labels = [_labels(number, slot) for slot in range(WIDTH)]
            parameters = {
                "tenant": tenant,
                "groups": [group_id] * WIDTH,
                "slots": list(range(WIDTH)),
                "keys": [encode_labels(labels_of(its)) for its in labels],
                "labels": [msgspec.json.encode(its).decode() for its in labels],
            }
            connection.execute(_SERIES, parameters)
    return groups


def store(tenant: TenantId, groups: list[int], ts_ms: int, values: Float64s) -> None:
    """Store one sample of each series, values (groups * WIDTH,), in one COPY."""
    writer.write(
        writer.Rows(
            tenants=np.full(len(values), tenant, dtype=np.int32),
            places=(np.repeat(groups, WIDTH).astype(np.int64) << 8) + np.tile(np.arange(WIDTH), len(groups)),
            ts_ms=np.full(len(values), ts_ms, dtype=np.int64),
            values=values.round(2),
            parts=np.ones(len(values), dtype=np.int64),
        ),
        [],
    )


def _labels(number: int, slot: int) -> Mapping[str, str]:
    return {"__name__": "ifUtilisation", "device": f"device-{number}", "ifName": f"xe-{slot}"}
