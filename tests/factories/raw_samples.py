"""What is stored raw, which the reader completes from rollups."""

from __future__ import annotations

from app.domain.tenancy import TenantId
from app.tsdb import parquet, raw
from app.tsdb.parquet import Samples
from app.tsdb.selection import select_series
from models.session import tenant_connection


def raw_samples(tenant: TenantId) -> Samples:
    """All raw samples of a tenant."""
    with tenant_connection(tenant) as connection:
        groups = select_series(connection, tenant, [])
        found = raw.fetch(connection, tenant, groups, start_ms=0, end_ms=2**42) if groups else {}
    return parquet.samples_of(raw.blocks_of_all(groups, found, start_ms=0, end_ms=2**42))
