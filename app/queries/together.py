"""How a device's readings were together at the moment of an anomaly; computed by a worker, which has the forest."""

from __future__ import annotations

from typing import Final

import numpy as np
from sqlalchemy import select, text

from app.domain.anomaly.forest import combination, missing_rows
from app.domain.anomaly.together import Reading, Together
from app.domain.counters import is_counter
from app.domain.labels import METRIC, Labels, Matcher, MatchOp, value_of
from app.domain.samples import Float64s, Int64s
from app.domain.tenancy import TenantId
from app.errors import NotFound
from app.tsdb import hourly, rolled
from app.tsdb.selection import select_series
from models.anomalies import AnomalyRow
from models.session import tenant_connection, tenant_session

STEP_MS: Final = 300_000
BACK_MS: Final = 7 * 86_400_000
# A series that is missing more often than this is no reading to compare.
LEAST_KNOWN: Final = 0.8
MOST_SERIES: Final = 200
SHOWN: Final = 8
_KINDS = text("select metric, kind from metric_metadata where tenant_id = :tenant")


def together(tenant: TenantId, anomaly_id: int) -> Together:
    """The readings of the anomaly's device at its peak, in steps of five minutes. Raises NotFound."""
    with tenant_session(tenant) as session:
        row = session.scalar(select(AnomalyRow).where(AnomalyRow.tenant_id == tenant, AnomalyRow.id == anomaly_id))
        if row is None:
            raise NotFound(f"There is no anomaly {anomaly_id}.")
        device, peak_ms = row.device_name, int(row.peak_at.timestamp() * 1000)
    end_ms = -(-peak_ms // STEP_MS) * STEP_MS
    labels, rates, ts_ms, values = _readings(tenant, device, end_ms)
    known = np.isfinite(values).mean(axis=0) >= LEAST_KNOWN if len(values) else np.zeros(len(labels), dtype=bool)
    chosen = np.flatnonzero(known & np.isfinite(values[-1]))[:MOST_SERIES] if len(values) else np.empty(0, dtype=int)
    missing = missing_rows(len(values) - 1)
    if missing or not len(chosen):
        return Together(None, missing * STEP_MS / hourly.HOUR_MS, len(labels), [])
    found = combination(ts_ms, values[:, chosen])
    order = np.argsort(-found.shares, kind="stable")[:SHOWN]
    readings = [
        Reading(
            labels=dict(labels[chosen[at]]),
            is_rate=bool(rates[chosen[at]]),
            share=round(float(found.shares[at]), 3),
            value=_number(values[-1, chosen[at]]),
            expected=_number(found.expected[at]),
            deviations=round(float(found.deviations[at]), 2),
        )
        for at in order.tolist()
        if found.shares[at] > 0
    ]
    return Together(round(found.score, 3), 0.0, len(chosen), readings)


def _readings(tenant: TenantId, device: str, end_ms: int) -> tuple[list[Labels], list[bool], Int64s, Float64s]:
    """The series of a device, which are rates, ends of steps (t,), and values (t, n) from the first that is known."""
    matchers = (Matcher(METRIC, MatchOp.NOT_EQUAL, ""), Matcher("device", MatchOp.EQUAL, device))
    with tenant_connection(tenant, read_only=True) as connection:
        groups = select_series(connection, tenant, matchers) if device else []
        kinds = {row.metric: row.kind for row in connection.execute(_KINDS, {"tenant": tenant})}
        blocks = rolled.everything(
            connection, tenant, groups, tier=STEP_MS // 1000, start_ms=end_ms - BACK_MS, end_ms=end_ms,
            stats=hourly.STATS,
        )  # fmt: skip
    ts_ms = np.arange(end_ms - BACK_MS + STEP_MS, end_ms + 1, STEP_MS)
    labels = [each for group in groups for each in group.labels]
    rates = [is_counter(name := value_of(each, METRIC), kinds.get(name, "unknown")) for each in labels]
    place = {each: at for at, each in enumerate(labels)}
    values = np.full((len(ts_ms), len(labels)), np.nan)
    for block in blocks:
        columns = np.array([place[each] for each in block.labels])
        rows = (block.end_ms - ts_ms[0]) // STEP_MS
        there = (rows >= 0) & (rows < len(ts_ms))
        found = hourly.values_of(block, np.array([rates[at] for at in columns.tolist()]))
        values[rows[there][:, None], columns[None, :]] = found[there]
    first = np.flatnonzero(np.isfinite(values).any(axis=1))
    begin = int(first[0]) if len(first) else len(ts_ms)
    return labels, rates, ts_ms[begin:], values[begin:]


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
