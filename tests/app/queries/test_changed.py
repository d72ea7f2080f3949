"""What changed here: by stored scores, and where there are none by what the series was like before."""

from __future__ import annotations

import numpy as np
import pytest

from app.clock import now_ms
from app.domain.anomaly.base import View
from app.domain.anomaly.changed import Changed, deviations, ranks
from app.domain.labels import encode_labels, labels_of
from app.domain.tenancy import Viewer
from app.domain.timerange import Window
from app.errors import InvalidInput
from app.queries.changed import changed
from app.tsdb import found_anomalies, scores
from app.tsdb.catalog import series_places
from app.tsdb.found_anomalies import Point
from app.tsdb.scores import ScoredRow
from models.session import tenant_session
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase
from tests.factories.samples import store_all

MINUTE = 60_000
NAMES = ("spike", "steady", "often", "lasting")


@pytest.fixture
def window(cast: Cast, db: RolledBackDatabase) -> Window:
    """The last 20 minutes, scored as 2 hours before are: one spike, one as often as ever, one lasting, one steady."""
    end_ms = now_ms() // MINUTE * MINUTE
    labels = [labels_of({"__name__": "load", "device": name, "ifName": "xe-0"}) for name in NAMES]
    samples = [(end_ms - back * MINUTE, float(back % 7)) for back in range(120)]
    store_all(cast.acme, [(dict(its), samples) for its in labels])
    places, _ = series_places(cast.acme, [encode_labels(its) for its in labels])
    courses = {name: scores.encode(np.full(120, 0.2)) for name in NAMES}
    high, middle = scores.encode(np.array([2.5, 1.5]))
    courses["spike"][5] = courses["often"][::6] = high
    courses["lasting"][:18] = middle
    db.role = "worker"
    with tenant_session(cast.acme) as session:
        for place, name in zip(places.tolist(), NAMES, strict=True):
            group, slot = place >> 8, place & 255
            rows = [
                ScoredRow(group, end_ms - back * MINUTE, bytes(slot) + bytes([octet]))
                for back, octet in enumerate(courses[name].tolist())
            ]
            scores.write(session, cast.acme, rows)
        spike = Point(
            int(places[0]) >> 8,
            int(places[0]) & 255,
            labels[0],
            end_ms - 5 * MINUTE,
            2.5,
            9.0,
            False,
            0,
            6,
            6,
            View.LOG,
        )
        found_anomalies.write(session, cast.acme, [spike])
    db.role = "web"
    return Window(end_ms - 20 * MINUTE, end_ms)


def devices(found: Changed) -> list[str]:
    return [its.device for its in found.items]


def test_ranked_by_peak_share_and_how_usual_it_is(cast: Cast, window: Window) -> None:
    found = changed(cast.vera, window)
    assert devices(found) == ["lasting", "spike", "often", "steady"]
    assert (found.series, found.above, found.unranked) == (4, 3, 0)
    lasting, spike, often, _ = found.items
    assert (lasting.score, lasting.share, lasting.usual_share) == (1.5, 0.9, 0.0)
    assert "90% of the window was above the boundary" in lasting.why
    assert often.usual_share > 0.1
    assert spike.peak_at is not None and spike.peak_at.timestamp() * 1000 == window.end_ms - 5 * MINUTE
    assert (spike.view, spike.anomaly_id is not None) == ("log", True)
    assert "order of magnitude" in spike.why


def test_each_comes_with_its_course(cast: Cast, window: Window) -> None:
    course = changed(cast.vera, window, limit=1).items[0].values
    assert len(course) == 48
    assert max(value for value in course if value is not None) <= 6.0


def test_what_was_not_scored_is_compared_with_what_it_was(cast: Cast, db: RolledBackDatabase) -> None:
    end_ms = now_ms() // 300_000 * 300_000
    rng = np.random.default_rng(1)
    quiet = [(end_ms - back * MINUTE, 10 + float(rng.normal())) for back in range(300)]
    jump = [(ts_ms, value + 30 * (ts_ms > end_ms - 20 * MINUTE)) for ts_ms, value in quiet]
    series = {"jump": jump, "quiet": quiet, "new": [(end_ms, 1.0)]}
    store_all(cast.acme, [({"__name__": "load", "device": name}, samples) for name, samples in series.items()])
    found = changed(cast.vera, Window(end_ms - 20 * MINUTE, end_ms), limit=2)
    assert devices(found) == ["jump", "quiet"]
    assert (found.items[0].source, found.items[0].score) == ("rollups", 3.97)
    assert found.items[1].score < 1
    assert "robust deviations" in found.items[0].why
    assert found.unranked == 1


def test_ranks_of_nothing() -> None:
    rank, peak, share, usual = ranks(np.zeros((3, 2), np.uint8), np.zeros((0, 2), np.uint8), 65)
    assert (rank.tolist(), peak.tolist(), share.tolist(), usual.tolist()) == ([0, 0], [0, 0], [0, 0], [0, 0])


def test_deviations_need_a_past() -> None:
    before = np.array([[1.0, np.nan], [1.1, np.nan], [0.9, 1.0], [1.0, 1.0], [1.05, 1.0], [0.95, 1.0]])
    far = deviations(np.array([[2.0, 2.0]]), before)
    assert far[0] > 10 and np.isnan(far[1])


def test_a_window_too_long_or_upside_down(cast: Cast) -> None:
    for window in (Window(0, 15 * 86_400_000), Window(10, 0)):
        with pytest.raises(InvalidInput):
            changed(cast.vera, window)


def test_charlie_of_globex_sees_none_of_it(cast: Cast, window: Window) -> None:
    viewer: Viewer = cast.charlie
    assert changed(viewer, window) == Changed([], 0, 0, 0)
