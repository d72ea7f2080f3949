"""What changed here: 20,000 series with a score each minute, ranked over the last hour; with labels and sparklines."""

from __future__ import annotations

import os
import time
from typing import Any

import msgspec
import numpy as np
from redis import Redis
from sqlalchemy import text

from app import clock
from app.domain.labels import encode_labels, labels_of
from app.domain.tenancy import Role, TenantId, Viewer
from app.domain.timerange import Window
from app.queries.changed import changed
from app.tsdb import scores, writer
from app.tsdb.scores import ScoredRow
from app.valkey import use_valkey
from models.session import close_database, open_database, platform_session, tenant_connection, tenant_session
from models.tenants import TenantRow
from tests.factories.servers import SECRET_KEY, create_database, drop_database, embedded_servers, migrate

SERIES = int(os.environ.get("BENCH_SERIES", "20000"))
WIDTH, STEP_MS = 200, 60_000
HOURS, SAMPLED_HOURS = 8, 2
LIMIT_S = 2.0

_GROUPS = text(
    "insert into series_groups (tenant_id, group_key, ordinal, slots)"
    " select :tenant, 'device-' || n, 0, :width from generate_series(1, :count) n returning id"
)
_SERIES = text(
    "insert into series (tenant_id, group_id, slot, key, labels) select :tenant, * from"
    " unnest(cast(:groups as int[]), cast(:slots as int[]), cast(:keys as bytea[]), cast(:labels as jsonb[]))"
)


def main() -> list[dict[str, Any]]:
    """The rows of the table."""
    with embedded_servers() as servers:
        use_valkey(Redis.from_url(servers.redis_url))
        url = create_database(servers)
        migrate(url)
        open_database(url, role="worker", secret_key=SECRET_KEY)
        try:
            return _measure()
        finally:
            close_database()
            drop_database(servers, url)


def _measure() -> list[dict[str, Any]]:
    with platform_session() as session:
        row = TenantRow(name="acme", title="Acme")
        session.add(row)
        session.flush()
        tenant = TenantId(row.id)
    groups = _catalogue(tenant)
    end_ms = clock.now_ms() // STEP_MS * STEP_MS
    random = np.random.default_rng(4)
    for minute in range(HOURS * 60):
        _scored(tenant, groups, end_ms - minute * STEP_MS, random)
    for minute in range(SAMPLED_HOURS * 60):
        _stored(tenant, groups, end_ms - minute * STEP_MS, random)
    viewer = Viewer(tenant=tenant, tenant_name="acme", name="bench", role=Role.VIEWER)
    rows = []
    for hours in (1, 4):
        window = Window(end_ms - hours * 3_600_000, end_ms)
        seconds = []
        for _again in range(4):
            began_s = time.perf_counter()
            found = changed(viewer, window, limit=50)
            seconds.append(time.perf_counter() - began_s)
            assert (found.series, len(found.items)) == (len(groups) * WIDTH, 50)
        note = f"{found.series} series, the first of 4 took {seconds[0]:.2f} s"
        rows.append(
            {
                "name": f"what changed here: 20,000 series, a window of {hours} h",
                "value": float(np.median(seconds)),
                "unit": "s",
                "limit": LIMIT_S,
                "note": note,
            }
        )
    return rows


def _catalogue(tenant: TenantId) -> list[int]:
    """Groups of WIDTH gauges."""
    with tenant_connection(tenant) as connection:
        count = SERIES // WIDTH
        groups = list(connection.scalars(_GROUPS, {"tenant": tenant, "width": WIDTH, "count": count}))
        for number, group_id in enumerate(groups):
            labels = [{"__name__": "load", "device": f"d-{number}", "ifName": f"xe-{slot}"} for slot in range(WIDTH)]
            parameters = {
                "tenant": tenant,
                "groups": [group_id] * WIDTH,
                "slots": list(range(WIDTH)),
                "keys": [encode_labels(labels_of(its)) for its in labels],
                "labels": [msgspec.json.encode(its).decode() for its in labels],
            }
            connection.execute(_SERIES, parameters)
    return groups


def _scored(tenant: TenantId, groups: list[int], ts_ms: int, random: np.random.Generator) -> None:
    """A minute of scores: one in a thousand above the boundary."""
    found = scores.encode(random.exponential(0.15, (len(groups), WIDTH)))
    with tenant_session(tenant) as session:
        rows = [ScoredRow(group, ts_ms, line.tobytes()) for group, line in zip(groups, found, strict=True)]
        scores.write(session, tenant, rows)


def _stored(tenant: TenantId, groups: list[int], ts_ms: int, random: np.random.Generator) -> None:
    """A minute of samples."""
    count = len(groups) * WIDTH
    writer.write(
        writer.Rows(
            tenants=np.full(count, tenant, dtype=np.int32),
            places=(np.repeat(groups, WIDTH).astype(np.int64) << 8) + np.tile(np.arange(WIDTH), len(groups)),
            ts_ms=np.full(count, ts_ms, dtype=np.int64),
            values=random.normal(50, 2, count).round(2),
            parts=np.ones(count, dtype=np.int64),
        ),
        [],
    )


if __name__ == "__main__":
    for its in main():
        print(f"{its['name']}: {its['value']:.2f} {its['unit']} (limit {its['limit']}), {its['note']}")
