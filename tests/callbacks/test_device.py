"""The page of one device: its head, its tabs, and what fills them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from dash import no_update
from redis import Redis

from app.actions import events
from app.clock import now_ms, utc_now
from app.domain.alerting.alert import Severity
from app.domain.events import Event
from app.domain.tenancy import Scope
from app.errors import Forbidden
from app.queries.devices import DeviceFilter, device_health
from callbacks import device
from tests.browser.seed import seed
from tests.factories.cast import Cast, token_viewer
from tests.factories.database import RolledBackDatabase
from tests.factories.screens import acting, attributes, words

NAME = "fra1-cor-01"
AWAY = "lon1-acc-04"
# Every callback that shows something of a device.
SHOWS: tuple[Callable[[str], Any], ...] = (
    lambda name: device.show_head(name, "", None, None, 0),
    lambda name: device.show_traffic(name, "?t=24h", None, 0),
    lambda name: device.show_cpu(name, "?t=6h", None, 0),
    lambda name: device.show_memory(name, "?t=6h", None, 0),
    lambda name: device.show_alerts(name, None, 0),
    lambda name: device.show_past(name, None, 0),
    lambda name: device.show_events(name, "?t=24h", None, 0),
    lambda name: device.show_port(name, "?t=24h&if=xe-0/0/1", None, 0),
    lambda name: device.show_neighbours(name, None, 0),
    lambda name: device.show_metrics(name, "?t=6h", 0),
)


@pytest.fixture
def network(db: RolledBackDatabase, valkey: Redis) -> Cast:
    """The seeded network of acme, up to now."""
    return seed(now_ms(), days=1)


def test_the_head_says_how_it_is(network: Cast) -> None:
    with acting(network.alice):
        head = words(device.show_head(NAME, "", None, None, 0))
        away = words(device.show_head(AWAY, "", None, None, 0))
    assert "Up for 5 h" in head
    assert "Juniper MX204" in head
    assert "100.000 %" in head
    assert "Maintenance" in head
    assert "Down" in away


def test_each_tab_has_its_frame(network: Cast) -> None:
    with acting(network.vera):
        for tab, part in {
            "": "device-traffic",
            "interfaces": "device-port",
            "alerts": "device-past",
            "neighbours": "device-neighbours",
            "metrics": "device-metrics",
            "nonsense": "device-traffic",
        }.items():
            tabs, frame = device.show_tabs(NAME, f"?tab={tab}")
            assert part in attributes(frame, "id")
            assert attributes(tabs, "aria-selected").count("true") == 1
    assert "Interfaces  6" in words(tabs)


def test_what_fills_the_tabs(network: Cast) -> None:
    with acting(network.vera):
        assert "device-traffic-chart" in attributes(device.show_traffic(NAME, "?t=24h", None, 0), "id")
        assert "device-cpu-chart" in attributes(device.show_cpu(NAME, "?t=6h", None, 0), "id")
        assert "It tells of no memory" in words(device.show_memory(NAME, "?t=6h", None, 0))
        assert "97 % full" in words(device.show_alerts(NAME, None, 0))
        assert "ifHCInOctets" in words(device.show_metrics(NAME, "?t=6h", 0))
        assert "No neighbours found" in words(device.show_neighbours(NAME, None, 0))
        assert "device-port-chart" in attributes(device.show_port(NAME, "?t=24h&if=xe-0/0/1", None, 0), "id")
        assert "No interface chosen" in words(device.show_port(NAME, "", None, 0))
        ports = device.show_ports(NAME, None, None, 0)
    assert [port["status"] for port in ports] == ["up"] * 6
    assert ports[0]["in_bps"] > 0
    assert ports[0]["use"] < 2


def test_maintenance_begins_and_ends(network: Cast) -> None:
    for state in ("maintenance", "active"):
        with acting(network.bob) as shown:
            assert device.toggle_maintenance(1, NAME, 4) == 5
        assert NAME in shown.notice
        [found] = device_health(network.bob, DeviceFilter(text=NAME))
        assert found.device.state == state


def test_a_viewer_changes_nothing(network: Cast) -> None:
    with acting(network.vera) as shown:
        assert "Maintenance" not in words(device.show_head(NAME, "", None, None, 0))
        device.toggle_maintenance(1, NAME, 0)
    assert "does not allow to write devices" in shown.notice
    for change in (device.discover, device.toggle_maintenance):
        with acting(network.vera), pytest.raises(Forbidden):
            change.__wrapped__(1, NAME, 0) if change is device.toggle_maintenance else change.__wrapped__(1, NAME)


def test_charlie_of_globex_sees_nothing_of_acme(network: Cast) -> None:
    for show in SHOWS:
        with acting(network.charlie):
            found = show(NAME)
        assert not {"Juniper", "full", "series"} & set(words(found).split()), words(found)
        assert not [each for each in attributes(found, "id") if each.endswith("-chart")]


def test_charlie_of_globex_has_no_tabs_and_ports_of_acme(network: Cast) -> None:
    with acting(network.charlie) as shown:
        assert device.show_ports(NAME, None, None, 0) is no_update
        assert "There is no device" in shown.notice
        assert device.show_tabs(NAME, "?tab=interfaces") is no_update


def test_events_stand_on_the_charts_and_in_a_list(network: Cast) -> None:
    event = Event(utc_now() - timedelta(minutes=5), "deploy", "firmware <22.4>", device=NAME, severity=Severity.MINOR)
    events.add(token_viewer(network.alice, Scope.INGEST), [event], agent="edge")
    with acting(network.vera):
        drawn = device.show_cpu(NAME, "?t=6h", None, 0)
        hidden = device.show_cpu(NAME, "?t=6h&ev=0", None, 0)
        listed = words(device.show_events(NAME, "?t=6h", None, 0))
        others = words(device.show_events(AWAY, "?t=6h", None, 0))
    assert f"deploy: firmware &lt;22.4&gt; ({NAME})" in str(drawn)
    assert "deploy" not in str(hidden)
    assert "firmware <22.4>" in listed
    assert "No event in this range" in others
