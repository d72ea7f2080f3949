"""The popover of a point: what it says of a moment of a series, who may act there, and that it can be taken back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.domain.anomaly.verdicts import Verdict
from app.domain.labels import METRIC
from app.domain.tenancy import Viewer
from app.errors import Conflict, NotFound
from app.queries import feedback
from app.queries import pins as pins_of
from app.queries import points as queries
from callbacks import points
from tests.factories.anomalies import found, found_point
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase
from tests.factories.samples import store
from tests.factories.screens import acting, attributes, words

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
AT_MS = int(AT.timestamp() * 1000)
LABELS = {METRIC: "ifHCInOctets", "device": "core-1", "ifName": "xe-0"}
HERE: dict[str, Any] = {
    "labels": LABELS, "name": "core-1 xe-0", "ts": AT_MS, "step_ms": 60_000, "value": 1.5, "unit": "Mb/s"
}  # fmt: skip


@pytest.fixture
def network(cast: Cast, db: RolledBackDatabase) -> Cast:
    """One series of acme."""
    store(cast.acme, LABELS, [(AT_MS, 1.0)])
    return cast


def shown(viewer: Viewer, **changes: Any) -> Any:
    with acting(viewer):
        return points.show_point({**HERE, **changes}, "")


def run(viewer: Viewer, verb: str, **changes: Any) -> Any:
    with acting(viewer) as sent:
        answer = points.run_command({**HERE, "verb": verb, "n": 1, **changes})
    return answer if answer["words"] else sent.notice


def test_a_point_says_what_a_verdict_would_do(network: Cast) -> None:
    told = words(shown(network.bob))
    for part in ("core-1 xe-0", "1.50 Mb/s", "01 Mar 12:00:00", "Not scored there", "Normal here: 11:57 to 12:03"):
        assert part in told, part
    assert "detection stays as sensitive as it is" in told
    assert "Forecast this one by ARIMA" in told


def test_at_an_anomaly_the_verdict_is_the_anomalys(network: Cast) -> None:
    found(network.acme, found_point(AT_MS + 60_000, 1.5))
    told = words(shown(network.bob))
    for part in ("Score 1.50, boundary 1.00", "Normal here: 12:01 raises no alert", "asks for 5 % more"):
        assert part in told, part
    answer = run(network.bob, "expected")
    assert answer["words"] == "core-1 xe-0: expected"
    (mark,) = feedback.marks(network.bob)
    assert (mark.verdict, mark.anomaly_id is not None, mark.step) == (Verdict.EXPECTED, True, 1)
    assert "Bob said expected." in words(shown(network.alice, ts=AT_MS + 120_000))
    assert run(network.bob, **answer["undo"])["words"] == "core-1 xe-0: verdict taken back"
    assert feedback.sensitivity(network.bob).multiplier == 1.0


def test_a_second_verdict_on_the_same_stretch_replaces_the_first(network: Cast) -> None:
    run(network.bob, "expected")
    answer = run(network.bob, "real", ts=AT_MS + 60_000)
    assert [its.verdict for its in feedback.marks(network.bob) if its.undone_at is None] == [Verdict.REAL]
    assert "said real of this already" in run(network.alice, "real")
    run(network.bob, **answer["undo"])
    assert [its.verdict for its in feedback.marks(network.bob) if its.undone_at is None] == [Verdict.EXPECTED]


def test_a_pin_is_made_and_taken_back(network: Cast) -> None:
    answer = run(network.bob, "pin")
    assert [its.selector for its in pins_of.pins(network.vera)] == ['ifHCInOctets{device="core-1", ifName="xe-0"}']
    assert "/admin/models" in attributes(shown(network.bob), "href")
    run(network.bob, **answer["undo"])
    assert pins_of.pins(network.vera) == []


def test_a_line_of_several_series_says_why_it_cannot(network: Cast) -> None:
    assert "made of several series" in words(shown(network.bob, labels=None))
    assert "name no series" in run(network.bob, "real", labels=None)


@pytest.mark.parametrize(
    "change", [{"ts": None}, {"ts": -1}, {"step_ms": 0}, {"step_ms": 10**15}, {"labels": {"device": "core-1"}}]
)
def test_nonsense_is_answered(network: Cast, change: dict[str, Any]) -> None:
    assert isinstance(run(network.bob, "real", **change), str)
    assert "Normal here" not in words(shown(network.bob, **change))
    assert isinstance(run(network.bob, "erase"), str)


def test_a_viewer_says_nothing_of_it(network: Cast) -> None:
    assert "Real" not in words(shown(network.vera))
    assert isinstance(run(network.vera, "real"), str)
    assert isinstance(run(network.vera, "pin"), str)
    assert feedback.marks(network.vera) == []


def test_charlie_of_globex_finds_no_such_series(network: Cast) -> None:
    found(network.acme, found_point(AT_MS, 1.5))
    assert "There is no series" in words(shown(network.charlie))
    with pytest.raises(NotFound):
        queries.point(network.charlie, LABELS, AT, step=timedelta(minutes=1))
    assert isinstance(run(network.charlie, "expected"), str)
    with pytest.raises(Conflict):
        points.actions.mark_point(network.bob, LABELS, AT, Verdict.REAL, step=timedelta(minutes=1))
        points.actions.mark_point(network.bob, LABELS, AT, Verdict.REAL, step=timedelta(minutes=1))
