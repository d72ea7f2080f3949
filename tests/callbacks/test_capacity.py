"""Capacity, as its callbacks draw it."""

from __future__ import annotations

from typing import Any

import pytest
from redis import Redis

from app.domain.tenancy import Viewer
from app.queries import capacity as queries
from callbacks import capacity
from tests.factories.capacity import planned_network
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase
from tests.factories.screens import acting, attributes, words


@pytest.fixture
def network(cast: Cast, db: RolledBackDatabase, valkey: Redis) -> Cast:
    return planned_network(cast, db)


def listed(viewer: Viewer, search: str) -> tuple[Any, ...]:
    with acting(viewer):
        return capacity.show_list(search, None)


def drawn(viewer: Viewer, search: str) -> tuple[Any, ...]:
    with acting(viewer):
        return capacity.show_chart(search, None, search)


def test_the_list_has_what_is_full_first_and_every_number_says_what_it_is(network: Cast) -> None:
    table, scope, chips = listed(network.vera, "?h=30")
    [text] = attributes(table, "data-html")
    assert text.index("core-1 xe-0") < text.index("core-1 xe-1") < text.index("core-1 /var")
    for said in (
        "needs 18 d",
        "no trend",
        "In 30 d",
        "In 8 of 10 cases between",
        "not before a year has passed, with 90",
    ):
        assert said in text
    assert "3 forecast nightly, 1 idle ones left out, last run 20 Nov 03:00 UTC" in scope
    assert words(chips) == "All 3 Links 2 Disks 1"

    assert "xe-0" not in attributes(listed(network.vera, "?kind=disk")[0], "data-html")[0]
    assert "No things match 1 filter" in words(listed(network.vera, "?q=nowhere")[0])
    assert "No forecast yet" in words(listed(network.charlie, "")[0])


def test_the_first_of_the_list_is_drawn_with_its_date_and_range(network: Cast) -> None:
    body, title, scope, facts, save, problems = drawn(network.vera, "")
    assert title == "core-1 xe-0"
    assert "1 Gb/s" in scope
    assert "Likely full on" in words(body)
    assert "30 d" in words(facts) and "%/week" in words(facts)
    assert (save, problems) == ("btn hidden", [])
    figure = body[1].children.children.figure
    names = [trace.name for trace in figure.data]
    assert {"Daily p95", "Weekly p95", "Forecast", "90 % interval", "50 % interval"} <= set(names)
    assert len(next(trace for trace in figure.data if trace.name == "Forecast").y) == 91
    assert any("days left at current growth" in note.text for note in figure.layout.annotations)
    # No trend is said clearly.
    still = queries.items(network.vera)[1]
    body, title, *_ = drawn(network.vera, f"?link={still.id}")
    assert title == "core-1 xe-1"
    assert "No trend that fills it: not within 365 days, with 90 % certainty." in words(body)


def test_what_if(network: Cast) -> None:
    body, _, _, _, save, _ = drawn(network.bob, "?thr=80&growth=2")
    assert "What if: a threshold of 80 % instead of 90 % and 2 times the growth" in words(body)
    assert save == "btn"
    assert drawn(network.vera, "?thr=80")[4] == "btn hidden"  # she may not set it
    # Too little history says how much more.
    disk = queries.items(network.vera)[2]
    body, _, _, facts, _, _ = drawn(network.vera, f"?link={disk.id}")
    assert "18 more days of figures are needed" in words(body)
    assert facts == []
    # What cannot be used is named.
    text = words(drawn(network.vera, "?h=31&thr=900&growth=fast&kind=tape&link=x")[5])
    assert all(f"{key}:" in text for key in ("h", "thr", "growth", "kind", "link"))


def test_a_threshold_is_set_from_the_page(network: Cast) -> None:
    port = queries.items(network.vera)[0]
    with acting(network.bob) as page:
        assert capacity.save_threshold(1, f"?link={port.id}&thr=95", 4) == 5
    assert "counts as full at 95 %" in page.notice
    assert queries.item(network.vera, port.id).threshold == 95.0
    with acting(network.vera) as page:
        capacity.save_threshold(1, f"?link={port.id}&thr=50", 4)
    assert page.notice
    assert queries.item(network.vera, port.id).threshold == 95.0


def test_what_was_said_is_compared_with_what_came(network: Cast) -> None:
    with acting(network.vera):
        body, scope = capacity.show_reliability("?h=30", None)
        nothing, _ = capacity.show_reliability("?h=365", None)
    assert scope == "30 days ahead, backtested"
    assert "forecasts 4 Brier" in words(body)
    assert any("4 of them were made afterwards" in about for about in attributes(body, "title"))
    assert "Nothing to compare yet" in words(nothing)
    # The file has a row for each thing.
    with acting(network.vera):
        lines = capacity.save_csv(1, "")["content"].splitlines()
    assert lines[0].startswith("kind,device,object")
    assert [line.split(",")[2] for line in lines[1:]] == ["xe-0", "xe-1", "/var"]


def test_another_tenant_sees_nothing(network: Cast) -> None:
    port = queries.items(network.vera)[0]
    assert "There is no capacity item" in words(drawn(network.charlie, f"?link={port.id}")[0])
    with acting(network.charlie):
        assert capacity.save_csv(1, "")["content"].count("\n") == 1
