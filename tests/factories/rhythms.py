"""Series with a daily rhythm, as networks have them: hourly values of many devices."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from app.domain.samples import Float64s
from app.domain.tenancy import TenantId
from tests.factories.samples import store_all

HOUR_MS = 3_600_000


def rhythms(count: int, hours: int, *, seed: int = 7) -> Float64s:
    """Values (count, hours): a day's curve with noise, so that yesterday alone is only a fair guess."""
    rng = np.random.default_rng(seed)
    at = np.arange(hours)
    phase, size = rng.uniform(0, 3, (count, 1)), rng.uniform(20, 60, (count, 1))
    level = np.repeat(rng.normal(0, 0.04, (count, hours // 24 + 1)), 24, axis=1)[:, :hours]
    curve = 1.5 + np.sin(2 * np.pi * (at - phase) / 24) + level + rng.normal(0, 0.1, (count, hours))
    return np.asarray(size * curve)


def store_rhythms(
    tenant: TenantId, end_ms: int, values: Float64s, labels: Mapping[str, str], *, every_ms: int = HOUR_MS
) -> None:
    """Store each row as a series of its own device, the last value at `end_ms`."""
    times = end_ms - every_ms * np.arange(values.shape[1])[::-1]
    store_all(
        tenant,
        [
            ({**labels, "device": f"r{row}"}, list(zip(times.tolist(), its.tolist(), strict=True)))
            for row, its in enumerate(values)
        ],
    )
