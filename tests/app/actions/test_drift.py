"""Drift is seen in the inputs and in how much detection finds, and queues one training, not one each time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from app.actions import drift
from app.domain.mlmodels.drift import Look, Measure
from app.domain.mlmodels.model import Stage
from app.domain.mlmodels.stability import reference_of
from app.queries import models as queries
from models.anomalies import AnomalyRow
from models.forecasts import ForecastQualityRow
from models.session import tenant_session
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase
from tests.factories.mlmodels import registered
from tests.factories.objects import folder_store
from tests.factories.rhythms import rhythms, store_rhythms

NOW = datetime(2026, 11, 24, 12, 20, tzinfo=UTC)
END_MS = int(datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()) * 1000
SERIES, HOURS = 24, 29 * 24


@pytest.fixture
def served(cast: Cast, db: RolledBackDatabase, tmp_path: Path) -> Cast:
    """A model of processors in service."""
    folder_store(tmp_path)
    db.role = "worker"
    reference = reference_of(rhythms(SERIES, HOURS, seed=3), season=24).to_document()
    registered(cast, 1, stage=Stage.CHAMPION, promoted_at=NOW - timedelta(days=9), reference=reference)
    return cast


def store(cast: Cast, values: np.ndarray) -> None:
    store_rhythms(cast.acme, END_MS, values, {"__name__": "cpu_load", "site": "berlin"})


def by_measure(looks: list[Look]) -> dict[str, Look]:
    return {look.measure: look for look in looks}


def test_a_calm_network_has_not_drifted(served: Cast) -> None:
    store(served, rhythms(SERIES, HOURS))
    looks, run = drift.check(served.acme, NOW)
    assert run is None and not any(look.is_drifting for look in looks)
    assert by_measure(looks)[Measure.ALERT_RATE].value == 0
    shown = {look.measure: look for look in queries.drift(served.vera)}
    assert shown[Measure.STABILITY].value < 0.25 and shown[Measure.STABILITY].note
    # The inputs are looked at once a week, the rest each time.
    later, _ = drift.check(served.acme, NOW + timedelta(hours=6))
    assert [look.measure for look in later] == [Measure.ALERT_RATE]
    assert drift.check(served.globex, NOW) == ([], None)


def test_other_inputs_queue_one_training(served: Cast) -> None:
    values = rhythms(SERIES, HOURS)
    values[:, -180:] *= np.where(np.arange(180) // 12 % 2 == 0, 3.0, 0.2)
    store(served, values)
    looks, run = drift.check(served.acme, NOW)
    assert by_measure(looks)[Measure.STABILITY].is_drifting
    [queued] = queries.runs(served.vera)
    assert (queued.id, queued.reason) == (run, "drift") and queued.note.startswith("stability of cpu: ")
    again, second = drift.check(served.acme, NOW + timedelta(days=7))
    assert second is None
    assert by_measure(again)[Measure.ALERT_RATE].value == 0


def test_many_anomalies_are_drift(served: Cast) -> None:
    store(served, rhythms(SERIES, HOURS))
    with tenant_session(served.acme) as session:
        session.add_all(
            AnomalyRow(
                tenant_id=served.acme,
                group_id=1,
                slot=i,
                metric="cpu_load",
                labels={},
                started_at=NOW - timedelta(hours=hour),
                last_at=NOW,
                peak_at=NOW,
                score=1.5,
                value=1.0,
                view=1,
            )
            for i in range(SERIES)
            for hour in range(4)
        )
    looks, run = drift.check(served.acme, NOW)
    rate = by_measure(looks)[Measure.ALERT_RATE]
    assert (rate.value, rate.note, rate.is_drifting) == (
        pytest.approx(4 / 7),
        "96 anomalies of 24 series in 7 days",
        True,
    )
    assert run is not None


def test_forecasts_that_do_not_hold_are_drift(served: Cast) -> None:
    store(served, rhythms(SERIES, HOURS))
    counts = {"series": 24, "points": 400, "inside80": 300, "inside95": 350, "error": 120.0, "naive_error": 100.0}
    with tenant_session(served.acme) as session:
        for days, family in ((1, "cpu"), (2, "cpu"), (1, "memory"), (20, "cpu")):
            at = NOW - timedelta(days=days)
            row = {**counts, "inside95": 0} if days == 20 else counts
            session.add(ForecastQualityRow(tenant_id=served.acme, family=family, made_at=at, is_backtest=False, **row))
    looks, run = drift.check(served.acme, NOW)
    found = by_measure([look for look in looks if look.family == "cpu"])
    assert found[Measure.COVERAGE].value == 0.875 and found[Measure.AGAINST_NAIVE].value == pytest.approx(1.2)
    assert found[Measure.COVERAGE].is_drifting and found[Measure.AGAINST_NAIVE].is_drifting
    assert not [look for look in looks if look.family == "memory"]  # no model of it is in service
    [queued] = queries.runs(served.vera)
    assert queued.id == run and "coverage_95 of cpu: 0.88" in queued.note


@pytest.mark.parametrize(
    ("measure", "value", "is_drifting"),
    [
        (Measure.COVERAGE, 0.91, False),
        (Measure.COVERAGE, 0.89, True),
        (Measure.AGAINST_NAIVE, 0.99, False),
        (Measure.AGAINST_NAIVE, 1.01, True),
        (Measure.STABILITY, 0.26, True),
    ],
)
def test_bounds(measure: Measure, value: float, is_drifting: bool) -> None:
    assert Look("cpu", measure, value).is_drifting is is_drifting
