"""The ribbon is of the lines that are drawn, where each is one series."""

from __future__ import annotations

import pytest

from app.clock import now_ms
from app.domain.anomaly.ribbon import Ribbon
from app.domain.labels import encode_labels, labels_of
from app.domain.timerange import Window
from app.queries.ribbon import ribbon_of
from app.tsdb import found_anomalies
from app.tsdb.catalog import series_places
from app.tsdb.found_anomalies import Point
from models.session import tenant_session
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase
from tests.factories.samples import store

CALM, ODD = (labels_of({"__name__": "load", "device": "core-1", "cpu": cpu}) for cpu in "01")


@pytest.fixture
def window(cast: Cast, db: RolledBackDatabase) -> Window:
    """An hour with two series of acme, the second of which was unusual in it."""
    end_ms = now_ms() // 60_000 * 60_000
    for labels in (CALM, ODD):
        store(cast.acme, dict(labels), [(end_ms - 60_000 * back, 1.0) for back in range(60)])
    (place,), _ = series_places(cast.acme, [encode_labels(ODD)])
    point = Point(int(place) >> 8, int(place) & 255, ODD, end_ms - 600_000, 2.5, 9, False, 0, 1, 1, 1)
    with tenant_session(cast.acme) as session:
        found_anomalies.write(session, cast.acme, [point])
    return Window(end_ms - 3_600_000, end_ms)


def names(its: Ribbon | None) -> set[str]:
    return set(its.names) - {""} if its else set()


def test_what_is_not_drawn_does_not_colour_it(cast: Cast, window: Window) -> None:
    unnamed = [tuple(pair for pair in labels if pair[0] != "__name__") for labels in (CALM, ODD)]
    assert names(ribbon_of(cast.vera, "load", window)) == {"core-1 1"}
    assert names(ribbon_of(cast.vera, "rate(load[5m])", window, drawn=unnamed)) == {"core-1 1"}
    assert names(ribbon_of(cast.vera, "rate(load[5m])", window, drawn=unnamed[:1])) == set()


def test_a_line_of_many_series_leaves_none_out(cast: Cast, window: Window) -> None:
    summed = [labels_of({"device": "core-1"})]
    assert names(ribbon_of(cast.vera, "sum by (device) (load)", window, drawn=summed)) == {"core-1 1"}
    assert ribbon_of(cast.charlie, "load", window, drawn=[ODD]) is None
