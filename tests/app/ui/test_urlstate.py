"""The address as the state of a view."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ui.explore_state import ExploreState
from app.ui.urlstate import Query, view_of

NOW = 1_795_000_000_000


def test_a_change_keeps_what_it_does_not_know() -> None:
    query = Query.parse("?t=24h&f=site=LON1&f=role!=core&new=thing")
    assert query.all("f") == ("site=LON1", "role!=core")
    assert str(query.with_({"t": "6h", "f": ["site=PAR3"]})) == "?new=thing&t=6h&f=site=PAR3"
    assert str(query.with_({"t": None, "f": None, "new": ""})) == ""


@given(st.lists(st.tuples(st.text(min_size=1, max_size=8), st.text(max_size=12)), max_size=6))
def test_what_is_written_is_read_again(pairs: list[tuple[str, str]]) -> None:
    query = Query(tuple(pairs))
    assert Query.parse(str(query)) == query


@pytest.mark.parametrize(
    ("search", "length_ms", "zone", "problems"),
    [
        pytest.param("", 86_400_000, "UTC", 0, id="the default"),
        pytest.param("?t=15m&tz=Europe/Berlin", 900_000, "Europe/Berlin", 0, id="short, elsewhere"),
        pytest.param("?from=2026-11-23T16:00Z&to=2026-11-23T17:00Z", 3_600_000, "UTC", 0, id="fixed"),
        pytest.param("?t=nonsense", 86_400_000, "UTC", 1, id="bad range falls back and says so"),
        pytest.param("?tz=Mars/Olympus&from=later", 86_400_000, "UTC", 2, id="all bad"),
        pytest.param("?tz=browser", 86_400_000, "America/New_York", 0, id="the browser's zone"),
        pytest.param("?tz=../../etc/passwd", 86_400_000, "UTC", 1, id="a zone is a name, not a path"),
    ],
)
def test_the_common_view(search: str, length_ms: int, zone: str, problems: int) -> None:
    view = view_of(search, now_ms=NOW, browser_zone="America/New_York")
    assert (view.window.length_ms, view.zone.key, len(view.problems)) == (length_ms, zone, problems)


def test_explore_reads_its_address() -> None:
    search = '?metric=ifInErrors&f=site="LON1"&f=device=~fra.*&by=device,ifName&agg=max&top=10&cmp=7d&y=log'
    state = ExploreState.parse(Query.parse(search))
    assert [str(matcher.value) for matcher in state.question.matchers] == ["LON1", "fra.*"]
    assert (state.question.function, state.question.by, state.top) == ("rate", ("device", "ifName"), 10)
    assert (state.compare, state.scale, state.problems) == ("7d", "log", ())


def test_explore_names_what_it_cannot_use() -> None:
    search = "?metric=up&fn=magic&f=nonsense&f=a=~(&top=9999&cmp=3y&y=up&by=a%22b"
    state = ExploreState.parse(Query.parse(search))
    assert len(state.problems) == 6
    assert (state.question.function, state.top, state.question.by, state.question.matchers) == ("value", 50, (), ())
