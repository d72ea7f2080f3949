"""The proof: a log beside anomalies and outlooks that are stored; nothing of another tenant, nothing made up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from app.actions import injections
from app.actions.rules import add_rule
from app.domain.alerting.rules import Rule
from app.domain.anomaly.base import Profile
from app.domain.injections import NEVER, Family, Injection
from app.domain.tenancy import Viewer
from app.queries.proof import proof
from models.anomalies import AnomalyRow, DetectorStateRow
from models.capacity import CapacityItemRow
from models.session import tenant_session
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
PORT = {"device": "fra1-agg-01", "ifName": "Ethernet3"}


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def odd(ref: str, began: datetime, kind: str = "spike") -> Injection:
    return Injection(ref, Family.ODDITY, kind, "ifHCInOctets", PORT, (), began, began + hours(0.5), 0.5)


def grown(device: str, full_at: datetime, kind: str = "link", **labels: str) -> Injection:
    labels = {"device": device, **labels}
    return Injection(f"g-{device}", Family.GROWTH, kind, "", labels, (), NOW - hours(4000), full_at, 90.0)


def anomaly(viewer: Viewer, at: datetime, *, score: float = 2.0, slot: int = 0, **labels: str) -> AnomalyRow:
    return AnomalyRow(
        tenant_id=viewer.tenant, group_id=1, slot=slot, metric="ifHCInOctets",
        labels={"__name__": "ifHCInOctets", **PORT, **labels},
        started_at=at, last_at=at, peak_at=at, score=score, value=1.0, view=0,
    )  # fmt: skip


def item(viewer: Viewer, device: str, *, threshold: float = 90.0, d10: float | None, d90: float | None, **more):
    return CapacityItemRow(
        tenant_id=viewer.tenant, kind=more.pop("kind", "link"), device_name=device, object=more.pop("object", ""),
        labels={}, size=1e9, threshold=threshold, last_day=NOW.date() - timedelta(days=1),
        daily=np.zeros(1, "<f4").tobytes(), days=180, missing_days=0, p30=0.5, d10=d10, d90=d90, rank=0.0,
        computed_at=NOW,
    )  # fmt: skip


@pytest.fixture
def story(cast: Cast, db: RolledBackDatabase) -> Cast:
    """Two oddities that detection has come past, one found; one that it has not come to; a false alarm."""
    log = [odd("a", NOW - hours(9)), odd("b", NOW - hours(6), "stuck"), odd("c", NOW - hours(1))]
    injections.record(cast.alice, [*log, odd("old", NOW - hours(24 * 20))])
    before, db.role = db.role, "worker"
    with tenant_session(cast.acme) as session:
        session.add(DetectorStateRow(tenant_id=cast.acme, group_id=1, scored_to=NOW - hours(2), slots=30))
        session.add(DetectorStateRow(tenant_id=cast.acme, group_id=2, scored_to=NOW, slots=5))
        session.add(anomaly(cast.alice, NOW - hours(8.9), score=1.1))
        session.add(anomaly(cast.alice, NOW - hours(4), slot=1, ifName="Ethernet9"))
    db.role = before
    return cast


def test_hits_misses_false_alarms_and_what_is_not_judged_yet(story: Cast):
    found = proof(story.vera, now=NOW)
    its = found.by_profile[Profile.BALANCED]
    assert [(each.injection.ref, each.hits) for each in its.outcomes] == [("a", 1), ("b", 0)]
    assert (its.recall, its.precision, its.delay_s) == (0.5, 0.5, pytest.approx(360.0))
    assert [each.ref for each in found.open] == ["c"]
    assert found.judged_to == NOW - hours(2)
    assert found.by_profile[Profile.QUIET].recall == 0.0  # its boundary is above 1.1
    assert found.boundaries[Profile.SENSITIVE] < found.boundaries[Profile.BALANCED] < found.boundaries[Profile.QUIET]
    assert not found.is_empty
    assert not found.is_cut
    assert found.weekly_rate(its) == pytest.approx(1 / 35)


def test_what_the_rules_would_tell_of_is_judged_too(story: Cast):
    assert proof(story.vera, now=NOW).by_rules.recall == 0.0
    criteria = {"least_score": 1.05}
    rule = Rule("Odd", 'ifHCInOctets{ifName!="Ethernet9"}', kind="anomaly", criteria=criteria)
    add_rule(story.alice, "custom", rule)
    its = proof(story.vera, now=NOW).by_rules
    assert (its.recall, its.precision, len(its.false_alarms)) == (0.5, 1.0, 0)
    add_rule(story.alice, "custom", replace(rule, name="Odder", criteria={"least_score": 9.0}))
    assert proof(story.vera, now=NOW).by_rules == its


def test_the_days_decide_what_is_compared(story: Cast):
    assert len(proof(story.vera, now=NOW, days=30).by_profile[Profile.BALANCED].outcomes) == 3
    assert proof(story.vera, now=NOW + hours(48), days=1).by_profile[Profile.BALANCED].outcomes == ()


def test_another_tenant_has_no_proof_of_it(story: Cast):
    found = proof(story.charlie, now=NOW)
    assert found.is_empty
    assert found.judged_to is None


def test_before_detection_has_begun_nothing_is_judged(cast: Cast, db: RolledBackDatabase):
    injections.record(cast.alice, [odd("a", NOW - hours(3))])
    found = proof(cast.vera, now=NOW)
    assert [each.ref for each in found.open] == ["a"]
    assert found.by_profile[Profile.BALANCED].recall is None
    assert not found.is_empty


def test_growth_is_held_against_what_capacity_planning_says(cast: Cast, db: RolledBackDatabase):
    full = datetime(2026, 6, 3, tzinfo=UTC)  # 30 days after the day after the last one seen
    log = {
        "within": (grown("within", full, ifName="xe-0"), item(cast.alice, "within", object="xe-0", d10=20.0, d90=40.0)),
        "late": (grown("late", full), item(cast.alice, "late", d10=31.0, d90=None)),
        "early": (grown("early", full), item(cast.alice, "early", d10=3.0, d90=29.0)),
        "still": (grown("still", NEVER), item(cast.alice, "still", d10=300.0, d90=None)),
        "wrong": (grown("wrong", NEVER), item(cast.alice, "wrong", d10=30.0, d90=90.0)),
        "other threshold": (grown("other", full), item(cast.alice, "other", threshold=80.0, d10=20.0, d90=40.0)),
        "other kind": (grown("kind", full), item(cast.alice, "kind", kind="disk", d10=20.0, d90=40.0)),
        "beyond": (grown("beyond", full), item(cast.alice, "beyond", d10=None, d90=None)),
    }  # fmt: skip
    injections.record(cast.alice, [growth for growth, _ in log.values()])
    before, db.role = db.role, "worker"
    with tenant_session(cast.acme) as session:
        session.add_all([said for _, said in log.values()])
    db.role = before
    found = {each.growth.labels["device"]: each for each in proof(cast.vera, now=NOW).growth}
    assert {name: each.is_held for name, each in found.items()} == {
        "within": True, "late": False, "early": False, "still": True, "wrong": False, "other": None, "kind": None,
        "beyond": False,
    }  # fmt: skip
    assert (found["within"].early, found["within"].late) == (full - timedelta(days=10), full + timedelta(days=10))
    assert found["still"].full_at is None
    assert proof(cast.charlie, now=NOW).growth == []
