"""What the floor knows: from the seeded network, and to its own tenant only."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from app.clock import now_ms, utc_now
from app.domain.tenancy import Viewer
from app.domain.timerange import Window
from app.errors import Forbidden
from app.queries import floor
from app.queries.course import forget
from tests.browser.seed import seed
from tests.factories.cast import Cast, token_viewer
from tests.factories.database import RolledBackDatabase

DAY_MS = 86_400_000


@pytest.fixture
def network(db: RolledBackDatabase) -> Cast:
    """The seeded network, up to now."""
    forget()
    return seed(now_ms(), days=1)


def day() -> Window:
    end = now_ms()
    return Window(end - DAY_MS, end, "24h")


def test_the_network_at_a_glance(network: Cast) -> None:
    reach = floor.reach(network.vera)
    assert (reach.devices, reach.reachable, reach.never_polled) == (30, 29, 0)
    assert dict(reach.away_by_site) == {"LON1": 1}
    assert np.nanmax(reach.points) == 30
    ports = floor.ports(network.vera)
    assert (ports.wanted, ports.down) == (180, 10)
    assert floor.critical_change(network.vera, since=utc_now() - timedelta(minutes=60)) <= 1
    assert floor.has_devices(network.vera)
    response = floor.response(network.vera)
    assert response.median_min == pytest.approx(4.0)
    value, points = floor.availability(network.vera)
    assert value is not None
    assert 99 < value <= 100  # the steps end on even hours: what began since is not in yet
    assert len(points) == 85


def test_traffic_by_role_adds_up(network: Cast) -> None:
    found = floor.traffic(network.vera, day())
    assert set(found.by_role) == {"core", "aggregation", "access", "firewall"}
    last = len(found.ts_ms) - 3
    assert found.total[last] == pytest.approx(sum(values[last] for values in found.by_role.values()))
    assert not (found.week_before > 0).any()


def test_sites_and_busiest(network: Cast) -> None:
    states = {state.site: state for state in floor.site_states(network.vera)}
    assert set(states) == {"AMS2", "FRA1", "LON1", "MAD1", "PAR3"}
    assert states["LON1"].cells[-1] == "critical"
    assert len(states["LON1"].cells) == floor.CELLS
    busy = floor.busiest(network.vera, most=5)
    assert len(busy) == 5
    assert [each.utilisation for each in busy] == sorted((each.utilisation for each in busy), reverse=True)
    assert busy[0].rate_bps > 1e9


def test_recent_is_newest_first(network: Cast) -> None:
    found = floor.recent(network.vera, most=3)
    assert [item.at for item in found] == sorted((item.at for item in found), reverse=True)
    assert found[0].kind == "fired"


QUESTIONS: dict[str, Callable[[Viewer], Any]] = {
    "reach": lambda viewer: floor.reach(viewer).devices,
    "ports": lambda viewer: floor.ports(viewer).wanted,
    "critical_change": lambda viewer: floor.critical_change(viewer, since=utc_now() - timedelta(days=2)),
    "response": lambda viewer: floor.response(viewer).median_min,
    "availability": lambda viewer: floor.availability(viewer)[0],
    "traffic": lambda viewer: floor.traffic(viewer, day()).by_role,
    "site_states": floor.site_states,
    "busiest": floor.busiest,
    "recent": floor.recent,
    "has_devices": floor.has_devices,
}


def test_charlie_of_globex_sees_nothing_of_acme(network: Cast) -> None:
    assert {name: question(network.charlie) for name, question in QUESTIONS.items() if question(network.charlie)} == {}


def test_a_token_that_may_only_send_learns_nothing(network: Cast) -> None:
    for question in QUESTIONS.values():
        with pytest.raises(Forbidden):
            question(token_viewer(network.alice))
