"""The page of anomalies: its list, its detail, and what its keys do."""

from __future__ import annotations

from typing import Any

import pytest
from dash import no_update

from app.auth.sealing import open_keyring
from app.clock import now_ms
from app.domain.anomaly.base import View
from app.domain.anomaly.together import Reading, Together
from app.domain.labels import encode_labels
from app.domain.tenancy import Viewer
from app.queries import anomalies as queries
from app.queries import anomaly_course, feedback, ribbon
from app.tsdb import found_anomalies
from app.tsdb.catalog import series_places
from app.tsdb.found_anomalies import Point
from app.ui.components.together import together_block
from callbacks import anomalies
from models.session import tenant_session
from tests.factories.anomalies import found_point
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase
from tests.factories.samples import store
from tests.factories.screens import acting, words
from tests.factories.servers import SECRET_KEY

MINUTE = 60_000


@pytest.fixture
def seen(cast: Cast, db: RolledBackDatabase) -> Cast:
    """Two anomalies of acme half an hour ago: of a counter's rate, score 3, and of a gauge, score 1.2."""
    open_keyring(SECRET_KEY)
    at_ms = now_ms() // MINUTE * MINUTE - 30 * MINUTE
    shapes = ((found_point(at_ms, 3.0), 8e6), (found_point(at_ms, 1.2, metric="load", view=View.DAY), 0.0))
    for point, growth in shapes:
        samples = [(at_ms - back * MINUTE, 1e9 - back * growth * 60) for back in range(60, -20, -1)]
        store(cast.acme, dict(point.labels), samples)
        (place,), _ = series_places(cast.acme, [encode_labels(point.labels)])
        stored = Point(**vars_of(point) | {"group_id": int(place) >> 8, "slot": int(place) & 255})
        with tenant_session(cast.acme) as session:
            found_anomalies.write(session, cast.acme, [stored])
    return cast


def vars_of(point: Point) -> dict[str, Any]:
    return {name: getattr(point, name) for name in Point.__dataclass_fields__}


def shown(viewer: Viewer, search: str = "") -> tuple[Any, ...]:
    with acting(viewer):
        return anomalies.show_rows(search, None, 0, None)


def detail(viewer: Viewer, search: str) -> str:
    with acting(viewer):
        return words(anomalies.show_detail(search, 0, None))


def test_the_list_says_how_much_and_why(seen: Cast) -> None:
    rows, chips, total, empty, problems, sensitivity = shown(seen.vera)
    assert [(row["metric"], row["score"], row["view"]) for row in rows] == [
        ("load", 1.2, "Unlike yesterday"),
        ("ifHCInOctets", 3.0, "New value"),
    ]
    octets = rows[1]
    assert (octets["value"], octets["expected"]) == ("80.0 Mb/s", "7.20 to 8.80 Mb/s")
    assert "nearest value in two weeks before it was 8.80 Mb/s" in octets["value_why"]
    assert octets["spark"].startswith("M")
    assert (total, empty, problems) == ("2 in last 24 h", None, [])
    assert "Unlike yesterday" in words(chips)
    assert words(sensitivity) == "boundary 1.00, from 0 expected and 0 real"


@pytest.mark.parametrize(
    ("search", "metrics"),
    [
        ("?s=2", ["ifHCInOctets"]),
        ("?s=none", ["load", "ifHCInOctets"]),
        ("?f=view:day", ["load"]),
        ("?f=view:odd", []),
        ("?f=metric:load", ["load"]),
        ("?f=device:core-2", []),
        ("?q=octets", ["ifHCInOctets"]),
        ("?v=none", ["load", "ifHCInOctets"]),
        ("?v=real", []),
        ("?t=15m", []),
    ],
)
def test_the_address_filters(seen: Cast, search: str, metrics: list[str]) -> None:
    assert [row["metric"] for row in shown(seen.vera, search)[0]] == metrics


def test_an_empty_list_says_why(seen: Cast) -> None:
    assert "verdict real" in words(shown(seen.vera, "?v=real")[3])
    assert "Nothing was unusual" in words(shown(seen.vera, "?t=15m")[3])


def test_the_detail_explains(seen: Cast) -> None:
    number = shown(seen.bob)[0][1]["id"]
    told = detail(seen.bob, f"?sel={number}")
    for part in ("Score 3.00", "no value near this one", "Nearest past", "8.80 Mb/s", "Expected", "Real", "load xe-0"):
        assert part in told, part
    assert "Take back" not in told
    assert "Real" not in detail(seen.vera, f"?sel={number}")
    assert "No anomaly chosen" in detail(seen.bob, "?sel=²")
    assert "There is no anomaly" in detail(seen.bob, "?sel=999999")


def test_what_the_keys_do(seen: Cast) -> None:
    number = shown(seen.bob)[0][1]["id"]
    with acting(seen.bob) as sent:
        for n, verb in enumerate(("expected", "undo", "real", "expected")):
            assert anomalies.run_command({"verb": verb, "id": number, "n": n}) == {"n": n, "done": number}
        assert sent.notice == ""
    row = shown(seen.bob, "?v=expected")[0][0]
    assert (row["verdict"], row["verdict_why"]) == ("Expected", "Bob said so.")
    told = detail(seen.bob, f"?sel={number}")
    assert "Take back" in told and "made detection less sensitive" in told
    with acting(seen.vera):
        assert "ifHCInOctets core-1 xe-0" in words(anomalies.show_left_out("", None))


@pytest.mark.parametrize(
    "command", [{"verb": "erase", "id": 1}, {"verb": "undo", "id": 1}, {"verb": "real", "id": "x"}]
)
def test_nonsense_is_answered(seen: Cast, command: dict[str, Any]) -> None:
    with acting(seen.bob) as sent:
        assert anomalies.run_command({**command, "n": 1})["done"] is None
    assert sent.notice


def test_a_viewer_judges_nothing(seen: Cast) -> None:
    number = shown(seen.vera)[0][0]["id"]
    with acting(seen.vera) as sent:
        anomalies.run_command({"verb": "real", "id": number, "n": 1})
    assert sent.notice
    assert feedback.verdicts_on(seen.vera, [number]) == {}


def test_charlie_of_globex_sees_none_of_it(seen: Cast) -> None:
    ours = queries.anomalies(seen.vera)
    assert shown(seen.charlie)[0] == []
    assert "There is no anomaly" in detail(seen.charlie, f"?sel={ours[0].id}")
    assert anomaly_course.small_courses(seen.charlie, ours) == {}
    window = anomaly_course.course(seen.vera, ours[0]).window
    assert len(anomaly_course.course(seen.charlie, ours[0]).values) == 0
    assert ribbon.ribbon(seen.charlie, [], window) is None
    with acting(seen.charlie):
        assert "leaves nothing of this time out" in words(anomalies.show_left_out("", None))


def test_the_device_as_a_whole_is_told_with_what_each_reading_adds() -> None:
    reading = Reading({"__name__": "ifInErrors", "device": "core-1", "ifName": "xe-0"}, True, 0.62, 14.0, 0.2, 9.3)
    told = words(together_block(Together(1.4, 0.0, 31, [reading])))
    assert "All 31 readings together were rare for it (score 1.40)" in told
    for part in ("62%", "ifInErrors xe-0", "14.0/s / 0.200/s"):
        assert part in told
    assert "20 more hours" in words(together_block(Together(None, 20.2, 31, [])))


def test_the_device_as_a_whole_is_asked_about_by_a_click_and_by_its_own_tenant(seen: Cast) -> None:
    number = shown(seen.vera)[0][0]["id"]
    assert "Which readings made it so?" in detail(seen.vera, f"?sel={number}")
    with acting(seen.charlie):
        assert anomalies.show_together(0, number) is no_update
        assert "There is no anomaly" in words(anomalies.show_together(1, number))
