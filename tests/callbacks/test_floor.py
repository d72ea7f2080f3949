"""The floor's panels, as its callbacks fill them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.clock import now_ms
from app.domain.tenancy import Viewer
from app.queries.course import forget
from callbacks import floor
from tests.browser.seed import seed
from tests.factories.cast import Cast, token_viewer
from tests.factories.database import RolledBackDatabase
from tests.factories.screens import acting, attributes, words

PANELS: dict[str, Callable[[], Any]] = {
    "tiles": lambda: floor.show_tiles("", None, None, None),
    "severity": lambda: floor.show_severity("", None, None),
    "traffic": lambda: floor.show_traffic("", None, None),
    "sites": lambda: floor.show_sites(None, None, None),
    "busiest": lambda: floor.show_busiest(None, None),
    "open": lambda: floor.show_open(None, None),
    "recent": lambda: floor.show_recent(None, None),
    "setup": lambda: floor.show_setup(None, None),
}


@pytest.fixture
def network(db: RolledBackDatabase) -> Cast:
    """The seeded network; its last samples are a poll old."""
    forget()
    return seed(now_ms() - 20_000, days=1)


def shown(viewer: Viewer, panel: str) -> Any:
    with acting(viewer):
        return PANELS[panel]()


def test_the_network_on_one_page(network: Cast) -> None:
    tiles = words(shown(network.vera, "tiles"))
    assert "Devices reachable 29 / 30" in tiles
    assert "1 unreachable in LON1" in tiles
    assert "10 down that should be up" in tiles
    assert attributes(shown(network.vera, "tiles"), "data-key") == ["1", "2", "3", "4", "5", "6"]
    labels = attributes(shown(network.vera, "sites"), "aria-label")
    assert [label.split(":")[0] for label in labels] == ["AMS2", "FRA1", "LON1", "MAD1", "PAR3"]
    assert "Device lon1-acc-04 does not answer" in words(shown(network.vera, "open"))
    assert "Started" in words(shown(network.vera, "recent"))
    assert words(shown(network.vera, "busiest")).count("xe-0/0/") == 11
    assert "alerts began" in attributes(shown(network.vera, "severity"), "aria-label")[0]
    assert shown(network.vera, "setup") is None


def test_traffic_is_fresh(network: Cast) -> None:
    drawn, scope = shown(network.vera, "traffic")
    assert "sent by all interfaces" in scope
    assert "Total traffic is now" in attributes(drawn, "aria-label")[0]
    assert "No new samples" not in words(drawn)


def test_what_ended_says_since_when(db: RolledBackDatabase) -> None:
    forget()
    cast = seed(now_ms() - 600_000, days=1)
    assert "No new samples since" in words(shown(cast.vera, "traffic")[0])


def test_a_later_question_asks_only_what_is_new(network: Cast) -> None:
    assert words(shown(network.vera, "tiles")) == words(shown(network.vera, "tiles"))


@pytest.mark.parametrize("panel", PANELS)
def test_another_tenant_sees_nothing(network: Cast, panel: str) -> None:
    shown(network.alice, panel)
    found = words(shown(network.charlie, panel)) + " ".join(attributes(shown(network.charlie, panel), "aria-label"))
    assert "lon1" not in found.lower()
    assert "No traffic yet" in found or panel != "traffic"
    assert "0 / 0" in found or panel != "tiles"


@pytest.mark.parametrize("panel", PANELS)
def test_without_the_right_it_says_so(network: Cast, panel: str) -> None:
    found = shown(token_viewer(network.alice), panel)
    assert "Ask an admin" in words(found)
