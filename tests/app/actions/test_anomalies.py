"""Stored samples become scores, anomalies and alerts: once, whatever crashes, and for their own tenant."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest
from redis import Redis
from sqlalchemy import func, select, text

from app import clock
from app.actions import anomalies, feedback
from app.actions.anomalies import Cycle, raise_alerts, score_new_points
from app.actions.rules import install_starter_pack
from app.domain.anomaly.memory import Memory
from app.domain.anomaly.verdicts import MOST_STEPS, Verdict
from app.domain.samples import Metadata
from app.promql.engine import query_instant
from app.promql.result import Vector
from app.tsdb import unscored
from app.tsdb.blocks import moment
from app.tsdb.detector_states import Overtaken
from app.tsdb.reader import Reader
from app.tsdb.tenants import describe_metrics
from models.alerting import AlertRow
from models.anomalies import AnomalyRow, AnomalyScoreRow, DetectorStateRow
from models.feedback import DetectionSettingsRow
from models.session import tenant_connection, tenant_session
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase
from tests.factories.detectors import Beyond
from tests.factories.samples import store

MINUTE = 60_000
OCTETS = {"__name__": "ifHCInOctets", "device": "core-1", "ifName": "xe-0"}
LOAD = {"__name__": "load", "device": "core-1"}


@pytest.fixture
def now_ms(cast: Cast, db: RolledBackDatabase, valkey: Redis) -> int:
    """A minute; two groups were made long before it."""
    at_ms = clock.now_ms() // MINUTE * MINUTE
    rates = np.tile([1e6, 1.1e6, 0.9e6], 20)
    counts = np.cumsum(rates * 60)
    store(cast.acme, OCTETS, [(at_ms - (60 - i) * MINUTE, float(count)) for i, count in enumerate(counts)])
    store(cast.acme, LOAD, [(at_ms - (60 - i) * MINUTE, float(i % 5)) for i in range(60)])
    db.outer.execute(text("reset role"))
    db.outer.execute(text("update series_groups set created_at = now() - interval '1 day'"))
    install_starter_pack(cast.acme)
    db.role = "worker"
    return at_ms


def cycle(cast: Cast, memory: Memory, now_ms: int, **more: int) -> Cycle:
    return score_new_points(cast.acme, memory, now_ms=now_ms + anomalies.SETTLE_MS, budget_s=60, **more)


def spike(cast: Cast, at_ms: int) -> None:
    """A minute of ten times the traffic."""
    last = Reader(cast.acme)
    found = query_instant(last, "ifHCInOctets", at_ms=at_ms)
    assert isinstance(found, Vector)
    store(cast.acme, OCTETS, [(at_ms, float(found.values[0]) + 10e6 * 60)])


def found(cast: Cast) -> list[AnomalyRow]:
    with tenant_session(cast.acme) as session:
        return list(session.scalars(select(AnomalyRow).order_by(AnomalyRow.started_at)))


def scored_rows(cast: Cast) -> int:
    with tenant_session(cast.acme) as session:
        return session.scalar(select(func.count()).select_from(AnomalyScoreRow)) or 0


def alerts(cast: Cast) -> list[AlertRow]:
    with tenant_session(cast.acme) as session:
        return list(session.scalars(select(AlertRow).where(AlertRow.tenant_id == cast.acme)))


def at(ms: int) -> datetime:
    return moment(ms)


def test_a_counter_is_scored_as_a_rate_and_an_unusual_one_becomes_an_alert(cast: Cast, now_ms: int) -> None:
    memory = Memory(Beyond)
    first = cycle(cast, memory, now_ms - MINUTE)
    assert (first.points, first.series, first.is_done) == (59 + 60, 2, True)
    before = len(found(cast))
    spike(cast, now_ms)
    assert cycle(cast, memory, now_ms).anomalies == 1
    newest = [row for row in found(cast) if row.metric == "ifHCInOctets"][-1]
    assert len(found(cast)) == before + 1
    assert (newest.is_rate, newest.value, newest.device_name, newest.interface_name) == (True, 1e7, "core-1", "xe-0")
    assert newest.expected_hi == pytest.approx(1.1e6)
    assert raise_alerts(cast.acme, now=at(now_ms + 5000)) == 1
    (alert,) = alerts(cast)
    assert (alert.name, alert.state, alert.device_name) == ("TrafficAnomaly", "firing", "core-1")
    assert alert.annotations["expected"] == "900000 to 1.1e+06"
    assert "no value near" in alert.annotations["view"]
    assert alert.annotations["nearest_past_value"] == "1.1e+06"


def test_a_new_group_waits_while_its_past_comes_in_but_not_for_ever(
    cast: Cast, now_ms: int, db: RolledBackDatabase
) -> None:
    def made(seconds_ago: int) -> None:
        db.outer.execute(text("reset role"))
        db.outer.execute(
            text("update series_groups set created_at = now() - make_interval(secs => :s)"), {"s": seconds_ago}
        )

    old = now_ms - 2 * unscored.OLD_MS
    # History of another device, and it came just now.
    store(cast.acme, {"__name__": "load", "device": "core-2"}, [(old, 1.0)], arrived_ms=now_ms)
    made(30)
    assert cycle(cast, Memory(Beyond), now_ms).series == 0
    made(120)
    assert cycle(cast, Memory(Beyond), now_ms).series == 2
    made(3600)
    assert cycle(cast, Memory(Beyond), now_ms).series == 3


def test_the_alert_ends_when_nothing_was_unusual_for_a_while(cast: Cast, now_ms: int) -> None:
    memory = Memory(Beyond)
    spike(cast, now_ms)
    cycle(cast, memory, now_ms)
    for after_ms, state in ((5_000, "firing"), (65_000, "firing"), (16 * MINUTE, "resolved")):
        raise_alerts(cast.acme, now=at(now_ms + after_ms))
        assert [alert.state for alert in alerts(cast)] == [state]


def test_a_verdict_ends_the_alert_and_a_tenants_multiplier_asks_for_more(cast: Cast, now_ms: int) -> None:
    spike(cast, now_ms)
    cycle(cast, Memory(Beyond), now_ms)
    assert raise_alerts(cast.acme, now=at(now_ms + 5_000)) == 1
    newest = [row for row in found(cast) if row.metric == "ifHCInOctets"][-1]
    made = feedback.mark_anomaly(cast.bob, newest.id, Verdict.EXPECTED)
    assert raise_alerts(cast.acme, now=at(now_ms + 10_000)) == 0
    feedback.undo(cast.bob, made.id)
    assert raise_alerts(cast.acme, now=at(now_ms + 15_000)) == 1
    with tenant_session(cast.acme) as session:
        session.scalars(select(DetectionSettingsRow)).one().steps = MOST_STEPS
        session.scalars(select(AnomalyRow).where(AnomalyRow.id == newest.id)).one().score = 1.25 * 2.9
    assert raise_alerts(cast.acme, now=at(now_ms + 20_000)) == 0


def test_a_crash_before_the_check_point_loses_and_doubles_nothing(cast: Cast, now_ms: int) -> None:
    cycle(cast, Memory(Beyond), now_ms - MINUTE)  # check-pointed
    lost = Memory(Beyond)
    cycle(cast, lost, now_ms - MINUTE)
    spike(cast, now_ms)
    cycle(cast, lost, now_ms, checkpoint_bytes=0)  # scored and stored; the worker dies before it saves and raises
    rows, unusual = scored_rows(cast), [(row.id, row.points, row.score) for row in found(cast)]
    fresh = Memory(Beyond)
    assert cycle(cast, fresh, now_ms).points == 0
    assert (scored_rows(cast), [(row.id, row.points, row.score) for row in found(cast)]) == (rows, unusual)
    for _again in range(2):
        assert raise_alerts(cast.acme, now=at(now_ms + 5000)) == 1
    assert len(alerts(cast)) == 1
    assert all(fresh.save(group_id) == lost.save(group_id) for group_id in lost.places)


def test_of_two_workers_one_writes(cast: Cast, now_ms: int) -> None:
    slow = Memory(Beyond)
    cycle(cast, slow, now_ms - 2 * MINUTE)
    cycle(cast, Memory(Beyond), now_ms - MINUTE)
    with pytest.raises(Overtaken):
        cycle(cast, slow, now_ms)


def test_a_state_that_is_broken_is_learned_anew(cast: Cast, now_ms: int) -> None:
    told = Memory(Beyond)
    cycle(cast, told, now_ms)
    with tenant_session(cast.acme) as session:
        for row in session.scalars(select(DetectorStateRow)):
            row.state = b"\0" * 40
    fresh = Memory(Beyond)
    assert cycle(cast, fresh, now_ms).points == 0
    assert all(fresh.save(group_id) == told.save(group_id) for group_id in told.places)


def test_a_group_that_gets_another_series_keeps_what_it_knew(cast: Cast, now_ms: int, db: RolledBackDatabase) -> None:
    memory = Memory(Beyond)
    cycle(cast, memory, now_ms - MINUTE)
    store(cast.acme, {**OCTETS, "ifName": "xe-1"}, [(now_ms, 1.0)])
    spike(cast, now_ms)
    with tenant_connection(cast.acme) as connection:
        assert connection.scalar(text("select count(distinct group_id) from series")) <= 3
    cycle(cast, memory, now_ms)
    assert [row.value for row in found(cast) if row.metric == "ifHCInOctets"][-1] == 1e7


@pytest.mark.parametrize("is_new", [pytest.param(False, id="the same worker"), pytest.param(True, id="another")])
def test_a_group_that_lost_a_series_keeps_what_it_knew_of_the_others(cast: Cast, now_ms: int, is_new: bool) -> None:
    memory = Memory(Beyond)
    cycle(cast, memory, now_ms - MINUTE)
    before = found(cast)
    with tenant_connection(cast.acme) as connection:
        gone = "delete from series where tenant_id = :tenant and labels ->> '__name__' = 'ifHCInOctets' returning slot"
        assert connection.scalars(text(gone), {"tenant": cast.acme}).all() == [0]
        note = "insert into series_purges (tenant_id, series, groups) values (:tenant, 1, 0)"
        connection.execute(text(note), {"tenant": cast.acme})
    store(cast.acme, LOAD, [(now_ms, 500.0)])
    cycle(cast, Memory(Beyond) if is_new else memory, now_ms)
    assert [(row.metric, row.slot, row.value) for row in found(cast)][len(before) :] == [("load", 1, 500.0)]


def test_metadata_says_what_is_a_counter(cast: Cast, now_ms: int, db: RolledBackDatabase) -> None:
    db.role = "web"
    describe_metrics(cast.acme, [Metadata("load", "counter", "")])
    db.role = "worker"
    # Of 0 1 2 3 4 0 1 … each fall is a reset, and no rate: 12 of them with the first.
    assert cycle(cast, Memory(Beyond), now_ms).points == 59 + 48


def test_charlie_of_globex_has_nothing_of_it(cast: Cast, now_ms: int) -> None:
    cycle(cast, Memory(Beyond), now_ms)
    theirs = score_new_points(cast.globex, Memory(Beyond), now_ms=now_ms, budget_s=5)
    assert (theirs.points, theirs.series) == (0, 0)
    with tenant_session(cast.globex) as session:
        for table in (AnomalyRow, AnomalyScoreRow, DetectorStateRow):
            assert session.scalar(select(func.count()).select_from(table)) == 0
