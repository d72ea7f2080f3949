"""What rules that watch anomalies and capacity would have raised, in their own tenant."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from app.actions import feedback
from app.domain.alerting.rules import Rule
from app.domain.anomaly.verdicts import Verdict
from app.errors import InvalidInput, QueryError
from app.queries import anomalies, previews
from app.queries.rules import preview
from tests.factories.anomalies import found, found_point
from tests.factories.capacity import NOW, planned_network
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase

END = datetime(2026, 3, 8, tzinfo=UTC)
START = END - timedelta(days=7)
MINUTE_MS = 60_000
UNUSUAL = Rule("Unusual", '{__name__="ifHCInOctets"}', kind="anomaly", criteria={"least_score": 2.0})


def test_an_anomaly_rule_would_have_fired_for_each_that_meets_its_criteria(cast: Cast, db: RolledBackDatabase) -> None:
    at_ms = int(START.timestamp() * 1000) + 3_600_000
    end_ms = int(END.timestamp() * 1000)
    found(
        cast.acme,
        found_point(at_ms, 3.0),
        found_point(at_ms, 1.2, slot=2, interface="xe-1"),
        found_point(at_ms + 20 * 3_600_000, 2.5),
        found_point(end_ms - 5 * MINUTE_MS, 4.0, slot=3, interface="xe-2"),
        found_point(at_ms, 9.0, slot=4, metric="ifInErrors"),
        found_point(at_ms - 3 * 86_400_000, 5.0, slot=5, interface="xe-3"),
    )
    told = preview(cast.vera, UNUSUAL, start=START, end=END, interval_s=15)
    assert (len(told.episodes), told.series, told.firing_now) == (3, 2, 1)
    assert dict(told.episodes[-1].labels)["ifName"] == "xe-2"
    worst = next(its for its in anomalies.anomalies(cast.bob) if its.interface == "xe-2")
    feedback.mark_anomaly(cast.bob, worst.id, Verdict.EXPECTED)
    assert len(preview(cast.vera, UNUSUAL, start=START, end=END, interval_s=15).episodes) == 2
    waits = replace(UNUSUAL, for_s=3600)
    assert preview(cast.vera, waits, start=START, end=END, interval_s=15).episodes == ()


def test_a_capacity_rule_tells_of_what_the_newest_run_found(cast: Cast, db: RolledBackDatabase, valkey: Redis) -> None:
    planned_network(cast, db)

    def count(expr: str, **criteria: Any) -> tuple[int, int]:
        draft = Rule("Full", expr, kind="capacity", criteria=criteria)
        told = preview(cast.vera, draft, start=NOW - timedelta(days=1), end=NOW, interval_s=15)
        assert told.firing_now == len(told.episodes)
        return len(told.episodes), told.series

    assert count('{kind="link"}', chance=0.8, within_days=60) == (1, 1)
    assert count('{kind="link"}', chance=0.8, within_days=2) == (0, 1)
    assert count('{kind="disk"}') == (0, 0)


def test_charlie_of_globex_is_told_of_nothing_of_acme(cast: Cast, db: RolledBackDatabase, valkey: Redis) -> None:
    found(cast.acme, found_point(int(START.timestamp() * 1000) + MINUTE_MS, 9.0))
    planned_network(cast, db)
    assert previews.of_anomalies(cast.charlie, UNUSUAL, start=START, end=END).episodes == ()
    everything = Rule("Full", '{kind=~".+"}', kind="capacity", criteria={"chance": 0.01, "within_days": 300})
    assert previews.of_capacity(cast.charlie, everything, now=NOW).series == 0


def test_what_could_not_be_saved_is_refused(cast: Cast, db: RolledBackDatabase) -> None:
    for wrong, error in (
        (replace(UNUSUAL, criteria={"least": 1}), InvalidInput),
        (replace(UNUSUAL, kind="oracle"), InvalidInput),
        (replace(UNUSUAL, expr="rate(load[5m])"), QueryError),
        (replace(UNUSUAL, kind="capacity", criteria={"chance": 2}), InvalidInput),
    ):
        with pytest.raises(error):
            preview(cast.vera, wrong, start=START, end=END, interval_s=15)
