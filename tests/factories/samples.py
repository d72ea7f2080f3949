"""Stored samples, by the way that the drain takes but without the stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count

import numpy as np

from app.domain.labels import encode_labels, labels_of
from app.domain.tenancy import TenantId
from app.tsdb import writer
from app.tsdb.catalog import series_places

_parts = count(1)


def store(
    tenant: TenantId, labels: Mapping[str, str], samples: Sequence[tuple[int, float]], *, arrived_ms: int = 0
) -> None:
    """Store samples (ms, value) of one series; those of a later call win over those of an earlier one."""
    store_all(tenant, [(labels, samples)], arrived_ms=arrived_ms)


def store_all(
    tenant: TenantId,
    series: Sequence[tuple[Mapping[str, str], Sequence[tuple[int, float]]]],
    *,
    arrived_ms: int = 0,
) -> None:
    """Store samples of many series in one COPY, as if they had arrived at a moment (long ago)."""
    places, reasons = series_places(tenant, [encode_labels(labels_of(labels)) for labels, _ in series])
    assert not reasons, reasons
    sizes = [len(samples) for _, samples in series]
    flat = [pair for _, samples in series for pair in samples]
    writer.write(
        writer.Rows(
            tenants=np.full(len(flat), tenant, dtype=np.int32),
            places=np.repeat(places, sizes),
            ts_ms=np.array([ts_ms for ts_ms, _ in flat], dtype=np.int64),
            values=np.array([value for _, value in flat], dtype=np.float64),
            parts=np.full(len(flat), arrived_ms * 65_536 + next(_parts), dtype=np.int64),
        ),
        [],
    )
