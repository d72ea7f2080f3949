"""Stored hours become days, chances and dates; what was said is compared with what came; rules raise alerts."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from redis import Redis
from sqlalchemy import select

from app.actions import capacity
from app.actions.rules import install_starter_pack
from app.domain.tenancy import TenantId
from app.errors import Forbidden, InvalidInput, NotFound
from models.alerting import AlertRow
from models.audit import AuditRow
from models.capacity import CapacityItemRow, CapacityPredictionRow, CapacityRunRow
from models.session import tenant_session
from tests.factories.capacity import DAYS, FIRST, GIGABIT, LAST_DAY, NOW, PORT, START, store_network
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase
from tests.factories.rolled_history import growing, store_hours, use_of


@pytest.fixture
def network(cast: Cast, db: RolledBackDatabase, valkey: Redis) -> Cast:
    return store_network(cast, db)


def items(tenant: TenantId) -> dict[str, CapacityItemRow]:
    with tenant_session(tenant) as session:
        return {row.object: row for row in session.scalars(select(CapacityItemRow).order_by(CapacityItemRow.rank))}


def predictions(tenant: TenantId) -> list[CapacityPredictionRow]:
    with tenant_session(tenant) as session:
        query = select(CapacityPredictionRow).order_by(CapacityPredictionRow.item_id, CapacityPredictionRow.said_on)
        return list(session.scalars(query))


def test_days_chances_and_dates_of_everything_that_is_used(network: Cast) -> None:
    assert capacity.keep_up(network.acme, now=NOW) == 3
    found = items(network.acme)
    assert list(found) == ["xe-0", "xe-1", "/var"]  # by what is full first; the idle port is left out
    port, still, disk = found.values()
    daily = np.frombuffer(port.daily, dtype="<f4")
    assert (port.days, len(daily), port.missing_days, port.last_day) == (DAYS, DAYS, 0, LAST_DAY)
    assert daily[-1] == pytest.approx(85.0, abs=4)
    assert port.d10 is not None and port.d50 is not None and port.d90 is not None
    assert port.d10 < port.d50 < port.d90 < 120
    assert port.now == pytest.approx(85.0, abs=3)
    assert port.per_week == pytest.approx(1.1, abs=0.4)
    assert (still.d50, still.p180) == (None, pytest.approx(0.0, abs=0.03))
    assert (disk.missing_days, disk.p30, disk.kind, disk.size) == (18, None, "disk", 1e11)
    with tenant_session(network.acme) as session:
        run = session.get(CapacityRunRow, network.acme)
    assert run is not None
    assert (run.items, run.idle, run.last_day) == (3, 1, LAST_DAY)


def test_it_runs_once_for_a_day_and_again_for_the_next_or_for_more_history(network: Cast) -> None:
    assert capacity.keep_up(network.acme, now=NOW) == 3
    assert capacity.keep_up(network.acme, now=NOW + timedelta(hours=2)) is None
    more = growing(30, 0.0, DAYS, seed=5)
    store_hours(network.acme, use_of("link", PORT | {"device": "core-2"}, more, size=GIGABIT), first_day=FIRST - DAYS)
    assert capacity.keep_up(network.acme, now=NOW + timedelta(minutes=3)) is None
    assert capacity.keep_up(network.acme, now=NOW + timedelta(hours=2)) == 3
    assert capacity.keep_up(network.acme, now=NOW + timedelta(days=1)) == 3


def test_a_night_reads_new_days_and_keeps_the_past(network: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    capacity.keep_up(network.acme, now=NOW)  # all days, to a Thursday
    before = items(network.acme)["xe-0"]
    # A link of twice the speed since: its past is half of today's size.
    fast = use_of("link", PORT, np.full(2 * 24, 50.0), size=2 * GIGABIT)
    store_hours(network.acme, fast, first_day=FIRST + DAYS)
    asked: list[int] = []
    read = capacity.daily_use
    monkeypatch.setattr(capacity, "daily_use", lambda *what, **how: asked.append(how["days"]) or read(*what, **how))
    capacity.keep_up(network.acme, now=NOW + timedelta(days=2))
    assert set(asked) == {2 + capacity.AGAIN_DAYS}
    after = items(network.acme)["xe-0"]
    was, now = (np.frombuffer(row.daily, dtype="<f4") for row in (before, after))
    assert len(now) == DAYS + 2
    assert now[: DAYS - 3] == pytest.approx(was[:-3] / 2, rel=1e-5)
    assert now[-1] == pytest.approx(50.0, rel=0.05)
    asked.clear()
    capacity.keep_up(network.acme, now=NOW + timedelta(days=3))  # to a Sunday
    assert set(asked) == {capacity.HISTORY_DAYS}


def test_what_would_have_been_said_knew_nothing_of_what_came(network: Cast) -> None:
    capacity.keep_up(network.acme, now=NOW)
    said = predictions(network.acme)
    past = [each for each in said if each.is_backtest]
    assert {(LAST_DAY - each.said_on).days for each in past} == {30, 60}
    assert {each.known_days for each in past} == {30, 60}
    assert all(each.came30 is not None and each.full_after is None for each in past)
    assert len([each for each in said if not each.is_backtest]) == 2
    # A port whose last month is another one has the same sayings as of before that month.
    other = growing(START, 0.16, DAYS)
    other[-30 * 24 :] = 99.0
    store_hours(network.globex, use_of("link", PORT, other, size=GIGABIT), first_day=FIRST)
    capacity.keep_up(network.globex, now=NOW)
    port = items(network.acme)["xe-0"].id
    ours = {each.said_on: (each.p30, each.p90, each.now) for each in past if each.item_id == port}
    theirs = [each for each in predictions(network.globex) if each.is_backtest]
    assert ours == {each.said_on: (each.p30, each.p90, each.now) for each in theirs}
    assert [each.full_after for each in theirs if (LAST_DAY - each.said_on).days == 30] == [3]


def test_errors_are_those_of_a_month_ahead(network: Cast) -> None:
    capacity.keep_up(network.acme, now=NOW)
    port = items(network.acme)["xe-0"]
    assert port.error is not None and port.naive_error is not None
    assert port.error < port.naive_error  # it grows 4.8 points in a month
    assert port.naive_error == pytest.approx(4.8, abs=1.5)


def test_a_rule_raises_an_alert_for_what_fills_up_and_ends_it(network: Cast) -> None:
    install_starter_pack(network.acme)
    capacity.keep_up(network.acme, now=NOW)
    assert _alerts(network.acme) == []
    port = items(network.acme)["xe-0"]
    capacity.set_threshold(network.alice, port.id, 86.0)
    capacity.keep_up(network.acme, now=NOW + timedelta(minutes=5))
    [alert] = _alerts(network.acme)
    assert (alert.name, alert.state, alert.device_name, alert.interface_name) == ("FillsUp", "firing", "core-1", "xe-0")
    assert alert.value is not None and alert.value >= 0.8
    assert "in 8 of 10 cases between" in alert.annotations["when"]
    capacity.set_threshold(network.alice, port.id, None)
    capacity.keep_up(network.acme, now=NOW + timedelta(minutes=10))
    assert [alert.state for alert in _alerts(network.acme)] == ["resolved"]


def test_a_threshold_of_its_own_stays_and_is_audited(network: Cast) -> None:
    capacity.keep_up(network.acme, now=NOW)
    before = items(network.acme)["xe-0"]
    capacity.set_threshold(network.bob, before.id, 95.0)
    after = items(network.acme)["xe-0"]
    assert after.d50 is not None and before.d50 is not None
    assert after.d50 > before.d50
    capacity.keep_up(network.acme, now=NOW + timedelta(days=1))
    again = items(network.acme)["xe-0"]
    assert (again.threshold, again.is_own_threshold) == (95.0, True)
    with tenant_session(network.acme) as session:
        entry = session.scalars(select(AuditRow).where(AuditRow.noun == "capacity")).one()
    assert (entry.before, entry.after) == (
        {"threshold": 90.0, "is_own": False},
        {"threshold": 95.0, "is_own": True},
    )
    for bad in (0.0, 101.0, float("nan")):
        with pytest.raises(InvalidInput):
            capacity.set_threshold(network.bob, before.id, bad)


def test_charlie_of_globex_changes_nothing_of_acme(network: Cast) -> None:
    capacity.keep_up(network.acme, now=NOW)
    port = items(network.acme)["xe-0"]
    with pytest.raises(NotFound):
        capacity.set_threshold(network.charlie, port.id, 50.0)
    with pytest.raises(Forbidden):
        capacity.set_threshold(network.vera, port.id, 50.0)
    assert items(network.globex) == {}
    assert items(network.acme)["xe-0"].threshold == 90.0


def _alerts(tenant: TenantId) -> list[AlertRow]:
    with tenant_session(tenant) as session:
        return list(session.scalars(select(AlertRow).where(AlertRow.tenant_id == tenant)))
