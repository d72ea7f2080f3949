"""Explore, as its callbacks draw it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from redis import Redis

from app.actions import bands, inference
from app.clock import now_ms
from app.domain.anomaly.base import View as SeriesView
from app.domain.labels import METRIC, Matcher, MatchOp
from app.domain.tenancy import Viewer
from app.queries.explore import chart_series, hourly_expression
from app.tsdb.found_anomalies import Point
from app.tsdb.selection import select_series
from app.ui.components import expected
from app.ui.explore_state import ExploreState
from app.ui.urlstate import view_of
from callbacks import explore
from models.session import tenant_connection
from tests.browser.seed import seed
from tests.factories.anomalies import found
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase
from tests.factories.screens import acting, attributes, words

LOAD = (Matcher(METRIC, MatchOp.EQUAL, "cpu_utilisation_ratio"),)


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


def asked(viewer: Viewer, search: str) -> tuple[Any, str]:
    with acting(viewer):
        return explore.show_changed(search, None)


def test_what_changed_ranks_the_series_of_the_window(network: Cast) -> None:
    assert asked(network.vera, "") == (None, "")
    told, scope = asked(network.vera, "?w=all&t=1h")
    assert "series reached the boundary" in scope
    assert "robust deviations" in words(told)
    assert any("/explore?q=" in href for href in attributes(told, "href"))
    now_s = now_ms() // 1000
    _, scope = asked(network.vera, f"?w={now_s - 1800}~{now_s - 900}")
    assert "series reached" in scope
    assert "is no window" in words(asked(network.vera, "?w=²~9")[0])
    assert "Nothing to rank" in words(asked(network.charlie, "?w=all")[0])


def test_the_ribbon_stands_above_the_chart(network: Cast) -> None:
    with tenant_connection(network.acme) as connection:
        labels = [each for group in select_series(connection, network.acme, LOAD) for each in group.labels]
        group = select_series(connection, network.acme, LOAD)[0]
    at_ms = now_ms() - 600_000
    slot = int(group.slots[0])
    point = Point(group.group_id, slot, group.labels[0], at_ms, 2.5, 0.9, False, 0.1, 0.4, 0.4, SeriesView.VALUE)
    found(network.acme, point)
    figure = drawn(network.vera, "?metric=cpu_utilisation_ratio&t=1h")[0].children.figure
    (strip,) = [trace for trace in figure.data if trace.meta == "ribbon"]
    assert len(labels) > 1 and len(strip.x) == 1
    assert strip.y.tolist() == [1.0]
    assert "score 2.50" in strip.customdata[0] and "no value near" in strip.customdata[0]
    assert figure.layout.yaxis.domain[1] < figure.layout.yaxis2.domain[0]
    figure = drawn(network.vera, "?metric=snmp_up&t=1h&w=1~2")[0].children.figure
    assert not [trace for trace in figure.data if trace.meta == "ribbon"]


def test_points_are_offered_to_those_who_may_say_something_of_them(network: Cast) -> None:
    meta = drawn(network.bob, "?metric=cpu_utilisation_ratio&t=1h&top=3")[0].children.figure.layout.meta
    assert [its["__name__"] for its in meta["points"]] == ["cpu_utilisation_ratio"] * 3
    assert meta["step_ms"] > 0
    summed = drawn(network.bob, "?metric=cpu_utilisation_ratio&t=1h&by=site")[0].children.figure.layout.meta
    assert set(summed["points"]) == {None}
    assert drawn(network.vera, "?metric=cpu_utilisation_ratio&t=1h")[0].children.figure.layout.meta is None


def test_bands_that_are_not_known_yet_are_announced_and_the_chart_is_drawn(network: Cast, valkey: Redis) -> None:
    assert "forecast" not in words(drawn(network.vera, "?metric=snmp_up&t=1h")[0])
    valkey.set(inference.AHEAD.format(tenant=network.acme), inference.MOST_AHEAD)
    shown = drawn(network.vera, "?metric=snmp_up&t=1h&b=1")[0]
    assert "the forecast is being computed" in words(shown)
    assert not [trace for trace in shown.children[0].children.figure.data if trace.meta == "band"]


def test_bands_lie_behind_the_lines_and_go_beyond_the_range(network: Cast, valkey: Redis) -> None:
    """What a worker answered for the two lines that are shown: one has too little past."""
    search = "?metric=snmp_up&t=24h&top=2"
    viewer, view = network.vera, view_of(f"{search}&b=1", now_ms=now_ms())
    state = ExploreState.parse(view.query)
    answer = chart_series(viewer, state.question, view.window, top=2)
    lines = [expected.Wanted(its.name, at, its.labels) for at, its in enumerate(answer.series)]
    expr = hourly_expression(state.question, answer.step_ms)
    question = expected.question_of(expr, lines, view, family="other")
    ahead = [question.end_ms + 3_600_000 * (k + 1) for k in range(48)]
    parts = {"mean": [1.0] * 48, "lo80": [0.9] * 48, "hi80": [1.1] * 48, "lo95": [0.8] * 48, "hi95": [1.2] * 48}
    known = {"labels": dict(lines[0].labels), "from_ts": question.end_ms, "ts": ahead, **parts}
    lacking = {"labels": dict(lines[1].labels), "lacking_h": 30}
    bands.keep(network.acme, msgspec.json.encode(question), msgspec.json.encode({"found": [known, lacking]}))
    shown = drawn(viewer, f"{search}&b=1")[0]
    figure = shown.children[0].children.figure
    assert len([trace for trace in figure.data if trace.meta == "band"]) == 3
    assert figure.layout.xaxis.range[1] > view.window.end_ms + 11 * 3_600_000
    assert "of 1, 30 more hours of history needed" in words(shown)
