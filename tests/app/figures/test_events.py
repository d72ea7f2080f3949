"""Events on a chart: a line and a mark for each, in the zone shown, on an axis of their own."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from app.figures.events import Mark, add_events
from app.figures.theme import base_figure, token


def test_each_event_is_a_line_and_a_mark() -> None:
    figure = base_figure()
    add_events(figure, [Mark(3_600_000, "major", "trap: <b>"), Mark(0, "", "deploy")], zone=ZoneInfo("Europe/Berlin"))
    assert [shape.x0 for shape in figure.layout.shapes] == [7_200_000, 3_600_000]
    [marks] = figure.data
    assert list(marks.x) == [7_200_000, 3_600_000]
    assert list(marks.customdata) == ["trap: &lt;b&gt;", "deploy"]
    assert list(marks.marker.color) == [token("major"), token("t2")]
    assert (marks.yaxis, figure.layout.yaxis3.overlaying) == ("y3", "y")


def test_without_events_a_chart_stays_as_it_is() -> None:
    figure = base_figure()
    add_events(figure, [], zone=ZoneInfo("UTC"))
    assert (figure.data, figure.layout.shapes) == ((), ())
