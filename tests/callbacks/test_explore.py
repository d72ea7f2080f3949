"""Explore, as its callbacks draw it."""

from __future__ import annotations

from typing import Any

import pytest

from app.clock import now_ms
from app.domain.tenancy import Viewer
from callbacks import explore
from tests.browser.seed import seed
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase
from tests.factories.screens import acting, words


@pytest.fixture
def network(db: RolledBackDatabase) -> Cast:
    """The seeded network, up to now."""
    return seed(now_ms(), days=1)


def drawn(viewer: Viewer, search: str) -> tuple[Any, ...]:
    with acting(viewer):
        return explore.draw_chart(search, None, None)


def test_the_strongest_series_and_their_table(network: Cast) -> None:
    _, scope, series, count, foot, problems, title = drawn(network.vera, "?f=site=LON1&top=5")
    assert "resolution" in scope
    assert words(series).count("xe-0/0/") == 5
    assert count.endswith("found")
    assert "points per series" in foot
    assert problems == []
    assert "ifHCOutOctets" in title


def test_what_is_wrong_is_named(network: Cast) -> None:
    assert "Did you mean" in words(drawn(network.vera, "?metric=ifHCOutOctet")[0])
    assert "No series" in words(drawn(network.vera, "?q=absent_metric")[0])
    assert "Could not draw this" in words(drawn(network.vera, "?q=sum(")[0])
    assert "'many' is not a number" in words(drawn(network.vera, "?top=many")[5])


def test_what_there_is_to_pick(network: Cast) -> None:
    with acting(network.vera):
        assert "snmp_up" in explore.offer_metrics("", None, "")
        by, values = explore.offer_labels("snmp_up", "", [], [])
    assert {"device", "site", "role"} <= set(by)
    assert "site=LON1" in values


def test_the_file_has_a_column_for_each_series(network: Cast) -> None:
    with acting(network.vera):
        file = explore.save_csv(1, "?f=site=LON1&top=3")
    assert file["filename"].endswith(".csv")
    lines = file["content"].splitlines()
    assert lines[0].startswith("time,")
    assert lines[0].count("xe-0/0/") == 3
    assert len(lines) > 10


def test_another_tenant_sees_nothing(network: Cast) -> None:
    assert "No series" in words(drawn(network.charlie, "")[0])
    with acting(network.charlie):
        assert explore.offer_metrics("", None, "") == []
        assert explore.offer_labels("snmp_up", "", [], []) == ([], [])
        assert explore.save_csv(1, "")["content"].splitlines()[0] == "time"
