"""The last full hour beside what was forecast for it."""

from __future__ import annotations

from redis import Redis
from sqlalchemy import select

from app.actions.residuals import compare_with_forecasts
from app.domain.anomaly.base import View
from app.domain.forecast.outlook import HOUR_MS
from app.queries import anomalies
from app.queries.anomalies import AnomalyFilter
from models.anomalies import AnomalyRow
from models.session import tenant_session
from tests.app.actions.test_forecasts import fill, forecast
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase
from tests.factories.samples import store


def test_an_hour_off_its_forecast_is_one_anomaly(cast: Cast, db: RolledBackDatabase, valkey: Redis) -> None:
    made_ms = fill(cast.acme)
    db.role = "worker"
    assert forecast(cast.acme, made_ms)
    for device, value in (("d-0", 300.0), ("d-1", 300.0)):
        store(cast.acme, {"__name__": "cpu_load", "device": device}, [(made_ms + HOUR_MS, value)])
    now_ms = made_ms + HOUR_MS + 600_000
    assert compare_with_forecasts(cast.acme, now_ms=now_ms) == 2
    assert compare_with_forecasts(cast.acme, now_ms=now_ms + 600_000) == 2
    with tenant_session(cast.acme) as session:
        rows = session.scalars(select(AnomalyRow).order_by(AnomalyRow.device_name)).all()
    assert [(row.device_name, row.view, row.points, row.value) for row in rows] == [
        ("d-0", View.RESIDUAL, 1, 300.0),
        ("d-1", View.RESIDUAL, 1, 300.0),
    ]
    assert all(row.score > 2 and row.expected_lo < row.nearest < row.expected_hi < 110 for row in rows)
    # What has no forecast, and who has none, is not judged.
    assert compare_with_forecasts(cast.globex, now_ms=now_ms) == 0
    assert anomalies.anomalies(cast.charlie, AnomalyFilter(least_score=0)) == []
