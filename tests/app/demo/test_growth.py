"""Growth: full on the day that was meant, the same story in the half year before, in the history and live."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import Connection, text

from app.demo.columns import device_columns, series_of
from app.demo.growth import RAMPS, Ramp
from app.demo.half_year import PAST_DAYS, make_past
from app.demo.history import history_times, past_readings
from app.demo.incidents import DAY_MS
from app.demo.mib import moving_values
from app.demo.network import build_network
from app.demo.readings import Readings
from app.demo.traffic import past_ends_ms
from app.demo.truth import HOUR_MS, full_at, hourly_percent, ramps_of
from app.domain.labels import Matcher, MatchOp
from app.domain.tenancy import TenantId
from app.tsdb import hourly, rollups
from app.tsdb.selection import select_series
from models.session import close_database, open_database, tenant_connection
from tests.factories.cast import create_cast
from tests.factories.servers import SECRET_KEY

NETWORK = build_network()
EPOCH_MS = 1_795_545_000_000


@pytest.fixture(scope="module")
def readings() -> Readings:
    return past_readings(NETWORK, EPOCH_MS)


@pytest.mark.parametrize("ramp", RAMPS, ids=lambda ramp: f"{ramp.kind} {ramp.device}")
def test_it_is_full_when_it_was_meant_to_be_and_grows_evenly_until_then(readings: Readings, ramp: Ramp):
    edges = EPOCH_MS // DAY_MS * DAY_MS + np.arange(-180 * 24, 200 * 24 + 1) * HOUR_MS
    daily = np.quantile(hourly_percent(readings, ramp, edges).reshape(-1, 24), 0.95, axis=1)
    weekly = np.median(daily[: 54 * 7].reshape(54, 7), axis=1)
    assert daily.max() < 100
    full_ms = full_at(readings, ramp)
    if ramp.full_in_days is None:
        assert full_ms is None
        assert np.ptp(weekly) < 2
        return
    assert full_ms is not None
    assert 0 <= (full_ms - EPOCH_MS) / DAY_MS - ramp.full_in_days <= 10
    grown = np.diff(weekly[: 180 // 7 + ramp.full_in_days // 7])
    assert np.abs(grown - 7 * ramp.per_day).max() < 2.5


def test_each_tenant_has_growth_of_its_own_and_something_that_does_not_grow(readings: Readings):
    ours, theirs = (ramps_of(tenant, readings) for tenant in ("acme", "globex"))
    assert len(ours) + len(theirs) == len(RAMPS)
    for ramps in (ours, theirs):
        assert {ramp.kind for ramp in ramps} >= {"link", "disk", "sessions"}
        assert any(ramp.full_in_days is None for ramp in ramps)
    assert not {ramp.full_in_days for ramp in ours if ramp.full_in_days} & {ramp.full_in_days for ramp in theirs}


def test_sessions_are_told_over_snmp_as_in_the_history(readings: Readings):
    for name, table in (("fra1-fw-01", "sessions"), ("zrh1-fw-01", "SPU 0")):
        device = NETWORK.by_name[name]
        columns = device_columns(readings, device, np.array([EPOCH_MS]))
        told = {c["metric"]: c for c in columns if c["metric"].startswith("sessions_")}
        assert set(told) == {"sessions_used", "sessions_limit"}
        assert told["sessions_used"]["labels"]["table"] == table
        assert told["sessions_used"]["values"] == moving_values(readings, device, EPOCH_MS)["sessions"]
        assert 0 < told["sessions_used"]["values"][0] < told["sessions_limit"]["values"][0]


def test_counters_of_half_a_year_only_grow_and_go_on_in_the_history(readings: Readings):
    device = NETWORK.by_name["fra1-agg-01"]
    end_ms = past_ends_ms(EPOCH_MS)
    times = np.arange(end_ms - 40 * DAY_MS, end_ms + 2 * HOUR_MS, HOUR_MS)
    boots = readings.timeline.boots[device.name]
    for metric, _, values in series_of(readings, device, times):
        if metric == "ifHCOutOctets":
            since = [values[times >= boots[1]]] + ([values[times < boots[1]]] if boots[1] > times[0] else [])
            assert all((np.diff(part) > 0).all() for part in since)
    assert history_times(EPOCH_MS, until_ms=EPOCH_MS)[0] == end_ms + 300_000


def test_the_half_year_is_stored_as_hours_and_days_that_join(own_db: str, readings: Readings):
    cast = create_cast()
    close_database()
    open_database(own_db, role="worker", secret_key=SECRET_KEY)
    made = make_past(readings, roles={"firewall"})
    assert make_past(readings, roles={"firewall"}) == made > 100_000  # again, with the same result
    end_ms = past_ends_ms(EPOCH_MS)
    edges = np.arange(end_ms - (PAST_DAYS - 15) * DAY_MS, end_ms + 1, HOUR_MS)
    ramp = next(ramp for ramp in RAMPS if ramp.kind == "sessions" and ramp.device == "fra1-fw-01")
    stored = hours_of(cast.acme, "sessions_used", edges) / 1_400_000 * 100
    assert stored == pytest.approx(hourly_percent(readings, ramp, edges + HOUR_MS // 2), abs=1e-4)
    port = next(p for p in NETWORK.by_name["fra1-fw-01"].ports if p.role == "uplink")
    octets = readings.traffic.octets(readings.traffic.seconds(edges), np.array([port.in_flow]))[:, 0]
    rates = hours_of(cast.acme, "ifHCInOctets", edges, port.name)
    wrong = np.abs(rates[1:] / (np.diff(octets)[1:] / 3600) - 1) > 1e-3
    assert wrong.sum() <= 1  # the hour in which the device started
    with tenant_connection(cast.acme) as connection:
        for tier in (3600, 86_400):
            bucket = end_ms - rollups.ROW_MS[tier]
            found = rollups.read(connection, cast.acme, groups(connection, cast.acme), tier=tier, start_ms=bucket,
                                 end_ms=end_ms)  # fmt: skip
            assert max(int(cells.end_ms[-1]) for its in found.values() for cells in its) == end_ms
        assert connection.scalar(text("select count(*) from injections where family = 'growth'")) == 7


def groups(connection: Connection, tenant: TenantId) -> dict[int, None]:
    return {group.group_id: None for group in hourly.all_groups(connection, tenant)}


def hours_of(tenant: TenantId, metric: str, edges: np.ndarray, port: str = "") -> np.ndarray:
    wanted = {"__name__": metric, "device": "fra1-fw-01"} | ({"ifName": port} if port else {})
    with tenant_connection(tenant) as connection:
        chosen = select_series(connection, tenant, [Matcher(n, MatchOp.EQUAL, v) for n, v in wanted.items()])
        hours = hourly.read(connection, tenant, chosen, start_ms=int(edges[0]), end_ms=int(edges[-1]))
    assert hours.values.shape == (1, len(edges) - 1)
    return hours.values[0]
