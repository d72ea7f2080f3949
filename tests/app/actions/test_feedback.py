"""Verdicts: what they move, what they keep out of training, and that they can be taken back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis
from sqlalchemy import select

from app.actions import devices
from app.actions import feedback as actions
from app.clock import utc_now
from app.domain.anomaly.verdicts import Verdict, multiplier
from app.domain.inventory import DeviceFields
from app.domain.labels import encode_labels, labels_of
from app.domain.tenancy import Viewer
from app.errors import Conflict, Forbidden, InvalidInput, NotFound
from app.queries import anomalies, feedback
from app.queries.alerts import AlertFilter, open_alerts
from app.queries.anomalies import AnomalyFilter
from app.queries.exclusions import exclusions
from app.tsdb import scores
from app.tsdb.catalog import series_places
from app.tsdb.scores import ScoredRow
from models.audit import AuditRow
from models.session import tenant_session
from tests.factories.alerting import NOON, Rounds, down
from tests.factories.anomalies import found, found_point
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase
from tests.factories.inventory import create_network

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
T0_MS = int(T0.timestamp() * 1000)
HOUR = timedelta(hours=1)


@pytest.fixture
def anomaly(cast: Cast, db: RolledBackDatabase) -> int:
    """The id of one anomaly of score 1.5."""
    found(cast.acme, found_point(T0_MS))
    return anomalies.anomalies(cast.bob)[0].id


def factor(viewer: Viewer) -> float:
    return feedback.sensitivity(viewer).multiplier


def test_expected_asks_for_more_and_stays_out_of_training(cast: Cast, anomaly: int) -> None:
    made = actions.mark_anomaly(cast.bob, anomaly, Verdict.EXPECTED, note="backup window")
    assert (made.step, made.score, made.made_by, made.note) == (1, 1.5, "Bob", "backup window")
    assert factor(cast.bob) == multiplier(1)
    (left_out,) = exclusions(cast.acme, T0 - HOUR, T0 + HOUR)
    assert (left_out.kind, left_out.about, left_out.labels["device"]) == ("expected", "backup window", "core-1")
    assert exclusions(cast.acme, T0 + HOUR, T0 + 2 * HOUR) == []
    assert feedback.verdicts_on(cast.vera, [anomaly, 10**9]) == {anomaly: made}


def test_real_stays_in_training(cast: Cast, anomaly: int) -> None:
    made = actions.mark_anomaly(cast.bob, anomaly, Verdict.REAL)
    assert (made.step, factor(cast.bob)) == (0, 1.0)
    assert exclusions(cast.acme, T0 - HOUR, T0 + HOUR) == []


def test_undo_takes_back_what_the_verdict_moved_and_no_more(cast: Cast, anomaly: int) -> None:
    first = actions.mark_anomaly(cast.bob, anomaly, Verdict.EXPECTED)
    found(cast.acme, found_point(T0_MS + 7_200_000, 2.0))
    second = actions.mark_anomaly(cast.alice, anomalies.anomalies(cast.bob)[0].id, Verdict.EXPECTED)
    assert factor(cast.bob) == multiplier(2)
    undone = actions.undo(cast.alice, first.id)
    assert (undone.undone_by, factor(cast.bob)) == ("Alice", multiplier(1))
    assert [its.start for its in exclusions(cast.acme, T0 - HOUR, T0 + 5 * HOUR)] == [second.start_at]
    with pytest.raises(Conflict, match="taken back by Alice"):
        actions.undo(cast.bob, first.id)


def test_another_verdict_replaces_the_first_and_the_same_is_refused(cast: Cast, anomaly: int) -> None:
    actions.mark_anomaly(cast.bob, anomaly, Verdict.EXPECTED)
    with pytest.raises(Conflict, match="Bob has said expected"):
        actions.mark_anomaly(cast.alice, anomaly, Verdict.EXPECTED)
    real = actions.mark_anomaly(cast.alice, anomaly, Verdict.REAL)
    assert factor(cast.bob) == 1.0
    assert feedback.verdicts_on(cast.bob, [anomaly])[anomaly] == real
    assert [mark.undone_by for mark in feedback.marks(cast.bob)] == ["", "Alice"]


def test_undoing_a_verdict_brings_back_the_one_that_it_replaced(cast: Cast, anomaly: int) -> None:
    first = actions.mark_anomaly(cast.bob, anomaly, Verdict.EXPECTED)
    second = actions.mark_anomaly(cast.alice, anomaly, Verdict.REAL)
    assert second.replaced_id == first.id
    actions.undo(cast.alice, second.id)
    assert feedback.verdicts_on(cast.bob, [anomaly]) == {anomaly: first}
    assert (factor(cast.bob), len(exclusions(cast.acme, T0 - HOUR, T0 + HOUR))) == (multiplier(1), 1)
    with tenant_session(cast.acme) as session:
        told = list(session.scalars(select(AuditRow.action).order_by(AuditRow.id.desc()).limit(2)))
    assert told == ["put mark back", "undo mark"]
    actions.undo(cast.bob, first.id)
    assert (feedback.verdicts_on(cast.bob, [anomaly]), factor(cast.bob)) == ({}, 1.0)


def test_every_verdict_is_in_the_audit_log(cast: Cast, anomaly: int) -> None:
    made = actions.mark_anomaly(cast.bob, anomaly, Verdict.EXPECTED)
    actions.undo(cast.alice, made.id)
    with tenant_session(cast.acme) as session:
        told = [(row.actor, row.action, row.after) for row in session.scalars(select(AuditRow).order_by(AuditRow.id))]
    assert [each[:2] for each in told[-2:]] == [
        ("bob@acme.example", "mark expected"),
        ("alice@acme.example", "undo mark"),
    ]
    assert [each[2]["steps"] for each in told[-2:] if each[2]] == [1, 0]


def test_an_alert_is_marked_with_its_device(cast: Cast, valkey: Redis) -> None:
    Rounds(cast.alice).round(down("core-1", ifName="xe-0"))
    (alert,) = open_alerts(cast.bob, AlertFilter())
    made = actions.mark_alert(cast.bob, alert.id, Verdict.EXPECTED)
    assert (made.labels, made.start_at, made.step) == ({"device": "core-1", "ifName": "xe-0"}, NOON, 0)
    assert made.alert_id == alert.id
    with pytest.raises(NotFound):
        actions.mark_alert(cast.charlie, alert.id, Verdict.REAL)


def test_a_stretch_of_a_series_below_the_boundary_that_was_real(cast: Cast, db: RolledBackDatabase) -> None:
    labels = {"__name__": "load", "device": "core-1"}
    places, _ = series_places(cast.acme, [encode_labels(labels_of(labels))])
    group, slot = int(places[0]) >> 8, int(places[0]) & 255
    octets = bytearray(slot + 1)
    octets[slot] = 1 + 48  # 0.75
    db.role = "worker"
    with tenant_session(cast.acme) as session:
        scores.write(session, cast.acme, [ScoredRow(group, T0_MS, bytes(octets))])
    db.role = "web"
    made = actions.mark_series(cast.bob, labels, T0 - HOUR, T0 + HOUR, Verdict.REAL)
    assert (made.score, made.step) == (0.75, -1)
    assert factor(cast.bob) == multiplier(-1)
    with pytest.raises(NotFound):
        actions.mark_series(cast.bob, {"device": "core-1"}, T0 - HOUR, T0, Verdict.REAL)
    with pytest.raises(InvalidInput):
        actions.mark_series(cast.bob, labels, T0, T0 - HOUR, Verdict.REAL)


def test_maintenance_is_left_out_from_its_beginning_to_its_end(cast: Cast, valkey: Redis) -> None:
    create_network(cast.alice, "core-1")
    begun = utc_now()
    devices.change_device(cast.alice, "core-1", DeviceFields(state="maintenance"))
    (lasting,) = exclusions(cast.acme, begun - HOUR, begun + HOUR)
    assert (lasting.kind, lasting.labels) == ("maintenance", {"device": "core-1"})
    devices.change_device(cast.alice, "core-1", DeviceFields(state="active", role="core"))
    devices.change_device(cast.alice, "core-1", DeviceFields(role="access"))
    (ended,) = exclusions(cast.acme, begun - HOUR, begun + HOUR)
    assert begun <= ended.start <= ended.end <= utc_now()
    assert exclusions(cast.acme, ended.end + HOUR, ended.end + 2 * HOUR) == []
    assert exclusions(cast.globex, begun - HOUR, begun + HOUR) == []


def test_a_viewer_reads_and_charlie_of_globex_has_nothing_of_it(cast: Cast, anomaly: int) -> None:
    made = actions.mark_anomaly(cast.bob, anomaly, Verdict.EXPECTED)
    with pytest.raises(Forbidden):
        actions.mark_anomaly(cast.vera, anomaly, Verdict.REAL)
    with pytest.raises(NotFound):
        actions.mark_anomaly(cast.charlie, anomaly, Verdict.REAL)
    with pytest.raises(NotFound):
        actions.undo(cast.charlie, made.id)
    assert feedback.marks(cast.charlie) == []
    assert feedback.verdicts_on(cast.charlie, [anomaly]) == {}
    assert factor(cast.charlie) == 1.0
    assert exclusions(cast.globex, T0 - HOUR, T0 + HOUR) == []
    assert anomalies.anomalies(cast.charlie, AnomalyFilter()) == []
