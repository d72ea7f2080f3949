"""Pinned series are forecast by auto_arima where that is better than naive: few, audited, and one's own."""

from __future__ import annotations

import numpy as np
import pytest
from redis import Redis

from app.actions import pins
from app.domain.forecast import pinned
from app.domain.forecast.outlook import HORIZON_H, HOUR_MS, Predicted
from app.domain.labels import encode_labels, labels_of
from app.domain.tenancy import TenantId, Viewer
from app.errors import Conflict, Forbidden, InvalidInput, NotFound, QueryError
from app.queries import audit, forecasts
from app.queries.pins import MOST_SERIES, FitState, reports
from app.queries.pins import pins as pins_of
from app.tsdb.catalog import series_places
from tests.app.actions.test_forecasts import DAYS, fill, forecast
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase
from tests.factories.samples import store

SELECTOR = 'cpu_load{device="climbs"}'


def climbing(hours: np.ndarray) -> np.ndarray:
    """A day that stands higher each time: naive is always a day behind."""
    noise = np.random.default_rng(2).normal(0, 1, len(hours))
    return np.asarray(50 + 30 * np.sin(2 * np.pi * hours / 24) + 0.5 * hours + noise)


def fill_with_climbing(tenant: TenantId) -> int:
    """A tenant's usual series and one that climbs; answers the last hour's end."""
    made_ms = fill(tenant)
    hours = np.arange(DAYS * 24)
    times = made_ms - (len(hours) - 1 - hours) * HOUR_MS
    samples = list(zip(times.tolist(), climbing(hours).tolist(), strict=True))
    store(tenant, {"__name__": "cpu_load", "device": "climbs"}, samples)
    return made_ms


def shown(viewer: Viewer, made_ms: int) -> dict[str, Predicted]:
    found = forecasts.newest_forecasts(viewer, "cpu_load", now_ms=made_ms, limit=9)
    return {its.labels["device"]: its for its in found}


def always() -> bool:
    return True


def test_a_pinned_series_is_foretold_by_auto_arima_and_once(cast: Cast, db: RolledBackDatabase, valkey: Redis) -> None:
    made_ms = fill_with_climbing(cast.acme)
    pin_id = pins.pin(cast.alice, SELECTOR)
    db.role = "worker"
    assert forecast(cast.acme, made_ms)
    before = {
        its.labels["device"]: its for its in forecasts.newest_forecasts(cast.vera, "cpu_load", now_ms=made_ms, limit=9)
    }
    done = pins.foretell(cast.acme, now_ms=made_ms, may_go_on=always)
    assert (done.series, done.better, done.left) == (1, 1, 0)
    after = {
        its.labels["device"]: its for its in forecasts.newest_forecasts(cast.vera, "cpu_load", now_ms=made_ms, limit=9)
    }
    assert {device: its.model for device, its in after.items() if its.model == "auto_arima"} == {"climbs": "auto_arima"}
    assert after["climbs"].mean != before["climbs"].mean
    assert after["d-2"] == before["d-2"]
    its = after["climbs"]
    assert len(its.mean) == HORIZON_H
    assert all(low <= mid <= high for low, mid, high in zip(its.lo95, its.mean, its.hi95, strict=True))
    assert pins.foretell(cast.acme, now_ms=made_ms, may_go_on=always).series == 0
    (report,) = reports(cast.vera)
    (fit,) = report.series
    assert (fit.state, fit.labels["device"]) == (FitState.USED, "climbs")
    assert fit.orders.endswith(")(0,1,0)[24]")
    assert fit.ratio is not None and fit.ratio < 1
    assert fit.made_at is not None and fit.made_at.timestamp() * 1000 == made_ms
    pins.unpin(cast.alice, pin_id)
    assert pins_of(cast.vera) == []
    noted = [entry.action for entry in audit.entries(cast.alice) if entry.noun == "models"]
    assert noted[:2] == ["unpin", "pin"]


def test_what_auto_arima_is_no_better_for_is_said_and_not_tried_twice(
    cast: Cast, db: RolledBackDatabase, valkey: Redis
) -> None:
    made_ms = fill(cast.acme)
    pins.pin(cast.alice, 'cpu_load{device="d-2"}')
    assert [fit.state for fit in reports(cast.vera)[0].series] == [FitState.WAITING]
    db.role = "worker"
    assert forecast(cast.acme, made_ms)
    before = shown(cast.vera, made_ms)["d-2"]
    done = pins.foretell(cast.acme, now_ms=made_ms, may_go_on=always)
    assert done.series == 1
    assert pins.foretell(cast.acme, now_ms=made_ms, may_go_on=always) == pins.Done(0, 0, 0)
    (fit,) = reports(cast.vera)[0].series
    assert fit.state is (FitState.USED if done.better else FitState.WORSE)
    assert done.better or shown(cast.vera, made_ms)["d-2"] == before


def test_without_time_all_stays_as_it_is(cast: Cast, db: RolledBackDatabase, valkey: Redis) -> None:
    made_ms = fill_with_climbing(cast.acme)
    pins.pin(cast.alice, SELECTOR)
    db.role = "worker"
    assert forecast(cast.acme, made_ms)
    done = pins.foretell(cast.acme, now_ms=made_ms, may_go_on=lambda: False)
    assert (done.series, done.better, done.left) == (0, 0, 1)


def test_what_does_not_beat_seasonal_naive_is_not_shown() -> None:
    hours = np.arange(DAYS * 24)
    same = 50 + 30 * np.sin(2 * np.pi * hours / 24)
    found = pinned.foretell(np.stack([same, climbing(hours)]), may_go_on=always)
    assert found.is_better.tolist() == [False, True]  # of the first naive has no error at all
    assert (found.widths[0] <= found.widths[1]).all()


def test_what_cannot_be_pinned(cast: Cast, db: RolledBackDatabase) -> None:
    labels = [labels_of({"__name__": "many", "device": f"d-{number}"}) for number in range(MOST_SERIES + 1)]
    series_places(cast.acme, [encode_labels(each) for each in labels])
    with pytest.raises(InvalidInput, match="50 at most"):
        pins.pin(cast.alice, "many")
    with pytest.raises(QueryError):
        pins.pin(cast.alice, "rate(many[5m])")
    with pytest.raises(Forbidden):
        pins.pin(cast.vera, SELECTOR)
    pins.pin(cast.alice, SELECTOR)
    with pytest.raises(Conflict):
        pins.pin(cast.alice, SELECTOR)
    with pytest.raises(NotFound):
        pins.unpin(cast.alice, 999_999)


def test_charlie_of_globex_neither_sees_nor_takes_away_a_pin_of_acme(
    cast: Cast, db: RolledBackDatabase, valkey: Redis
) -> None:
    pin_id = pins.pin(cast.alice, SELECTOR)
    assert pins_of(cast.charlie) == [] == reports(cast.charlie)
    with pytest.raises((NotFound, Forbidden)):
        pins.unpin(cast.charlie, pin_id)
    assert [its.selector for its in pins_of(cast.vera)] == [SELECTOR]
    assert pins.foretell(cast.globex, now_ms=0, may_go_on=always).series == 0
