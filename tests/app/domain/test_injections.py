"""What was injected against what was found: hits, misses, false alarms, and what a fault explains."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.domain.injections import ECHO, GRACE, Family, Found, Injection, by_kind, compared

T0 = datetime(2026, 5, 4, 12, tzinfo=UTC)
PORT = {"device": "fra1-agg-01", "ifName": "Ethernet3"}


def injection(ref: str, kind: str = "spike", *, family: Family = Family.ODDITY, minutes: int = 10) -> Injection:
    end = T0 + timedelta(minutes=minutes)
    return Injection(ref, family, kind, "ifHCInOctets", PORT, (), T0, end, 0.5)


def anomaly(at_minutes: float, *, score: float = 2.0, metric: str = "ifHCInOctets", **labels: str) -> Found:
    at = T0 + timedelta(minutes=at_minutes)
    return Found(metric, {**PORT, "site": "fra1", **labels}, at, at, score)


def test_an_anomaly_on_the_series_and_in_the_time_is_a_hit_with_its_delay():
    found = compared([injection("a")], [anomaly(3.0, score=4.0), anomaly(4.0)], boundary=1.0)
    assert (found.hits, found.found, found.recall, found.precision) == (2, 1, 1.0, 1.0)
    assert found.delay_s == 180.0
    assert found.outcomes[0].score == 4.0


@pytest.mark.parametrize(
    "other",
    [
        anomaly(-0.1),
        anomaly(10.1 + GRACE.total_seconds() / 60),
        anomaly(3.0, ifName="Ethernet4"),
        anomaly(3.0, metric="ifHCOutOctets"),
    ],
    ids=["before it began", "long after it ended", "another port", "the other direction"],
)
def test_anything_else_is_a_false_alarm_and_the_injection_a_miss(other: Found):
    found = compared([injection("a")], [other], boundary=1.0)
    assert (found.recall, found.precision, found.delay_s) == (0.0, 0.0, None)
    assert found.false_alarms == [other]


def test_what_a_fault_explains_counts_neither_way():
    log = [injection("a"), injection("f", "fibre_cut", family=Family.FAULT)]
    after = 10 + ECHO.total_seconds() / 60
    anomalies = [anomaly(2.0), anomaly(after - 1, device="lon1-core-01"), anomaly(after + 1, device="lon1-core-01")]
    found = compared(log, anomalies, boundary=1.0)
    assert (found.hits, found.explained, len(found.false_alarms)) == (1, 1, 1)
    assert found.precision == 0.5
    assert len(found.outcomes) == 1


def test_a_higher_boundary_finds_less():
    anomalies = [anomaly(1.0, score=1.1), anomaly(2.0, score=0.8)]
    assert [compared([injection("a")], anomalies, boundary=b).hits for b in (0.7, 1.0, 1.25)] == [2, 1, 0]


def test_kinds_are_judged_apart():
    log = [injection("a"), injection("b", "stuck", minutes=-60)]
    found = by_kind(compared(log, [anomaly(1.0)], boundary=1.0))
    assert {kind: (its.found, len(its.outcomes)) for kind, its in found.items()} == {"spike": (1, 1), "stuck": (0, 1)}


def test_nothing_injected_and_nothing_found_has_no_figures():
    found = compared([], [], boundary=1.0)
    assert (found.recall, found.precision, found.delay_s, by_kind(found)) == (None, None, None, {})
