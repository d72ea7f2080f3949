"""The queries of the device, inventory and triage pages, asked by the other tenant."""

from __future__ import annotations

import numpy as np
import pytest

from app.clock import now_ms
from app.domain.timerange import Window
from app.queries import alerts, device, inventory, triage
from tests.browser.seed import seed
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase

NAME = "ams2-cor-01"


@pytest.fixture
def network(db: RolledBackDatabase) -> Cast:
    """The seeded network of acme, up to now."""
    return seed(now_ms(), days=1)


def test_charlie_of_globex_sees_nothing_of_acmes_devices(network: Cast) -> None:
    window = Window(now_ms() - 6 * 3_600_000, now_ms())
    ours, theirs = network.vera, network.charlie
    for curves in (device.traffic, device.processors, device.memory):
        assert all(np.isnan(curve.values).all() for curve in curves(theirs, NAME, window).curves)
    assert any(np.isfinite(curve.values).any() for curve in device.processors(ours, NAME, window).curves)
    assert device.availability(theirs, NAME, window) is None
    assert device.port_rates(theirs, NAME) == {}
    assert device.metric_names(ours, NAME, window) and device.metric_names(theirs, NAME, window) == {}
    assert inventory.load(theirs) == inventory.Load(cpu={}, memory={})


def test_charlie_of_globex_measures_no_alert_of_acme(network: Cast) -> None:
    opened = alerts.open_alerts(network.vera, alerts.AlertFilter())
    assert opened
    assert [triage.measured(network.charlie, alert) for alert in opened] == [None] * len(opened)
