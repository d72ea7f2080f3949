"""What changed here: the series that were most unusual in a window, by device, each with its course and why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import tzinfo
from typing import Any, Final
from urllib.parse import quote, urlencode

from dash import dcc, html
from dash.development.base_component import Component

from app.domain.anomaly.changed import Changed, ChangedSeries
from app.domain.labels import METRIC
from app.domain.timerange import Window
from app.figures.sparkline import sparkline_svg
from app.queries.device import quoted
from app.ui.components.anomaly_grid import SCORE_HELP, VIEWS
from app.ui.components.attributes import attrs
from app.ui.components.marks import icon
from app.ui.components.panel import panel
from app.ui.components.states import nothing

MOST_OF_DEVICE: Final = 3
# What a row does not repeat: the device stands above, and the metric before.
HIDDEN: Final = frozenset({METRIC, "device", "site", "role"})
SHARE_HELP: Final = "How much of the window the series was above the boundary; before it the usual share."
COURSE_HELP: Final = "The series over the window (shaded) and as long before it."


def changed_panel(id: str) -> Component:
    """The panel below the chart; it shows when the address asks about a window."""
    close = html.Button(
        icon("x"),
        className="btn icon",
        type="button",
        title="Close",
        **attrs({"data-action": "explore-changed", "aria-label": "Close what changed"}),
    )
    return panel("What changed here", id=id, actions=[close], class_name="explore-changed")


def changed_list(found: Changed, window: Window, zone: tzinfo) -> Component:
    """The list, the most unusual device first, of each at most MOST_OF_DEVICE series."""
    if not found.items:
        text = f"{found.series:,} series were looked at; none was scored or had a past to compare with."
        return nothing("Nothing to rank in this window", text if found.series else "", icon_name="activity")
    by_device: dict[str, list[ChangedSeries]] = {}
    for its in found.items:
        by_device.setdefault(its.device, []).append(its)
    rows: list[Component] = []
    for device, members in by_device.items():
        rows.append(_device(device, len(members)))
        rows += [html.Li(_row(its, window, zone)) for its in members[:MOST_OF_DEVICE]]
    return html.Ul(rows, className="changed-list", tabIndex="0", **attrs({"aria-label": "What changed"}))


def scope_of(found: Changed, words: str) -> str:
    """What stands behind the title: the window, and how many series there were."""
    rest = f", {found.unranked:,} without a past" if found.unranked else ""
    return (
        f"{words}: {found.above:,} of {found.series:,} series reached the boundary{rest}; drag on the chart to choose"
    )


def explore_href(its: ChangedSeries, window: Window) -> str:
    """The series in Explore, with a window around the one asked about."""
    names = sorted(name for name in its.labels if name != METRIC)
    selector = its.metric + "{" + ", ".join(f"{name}={quoted(its.labels[name])}" for name in names) + "}"
    start_s, end_s = window.start_ms // 1000, window.end_ms // 1000
    query = {
        "q": f"rate({selector}[300s])" if its.is_rate else selector,
        "from": start_s - (end_s - start_s),
        "to": end_s,
        "w": f"{start_s}~{end_s}",
    }
    return "/explore?" + urlencode(query, safe="~")


def _device(device: str, count: int) -> Component:
    more = f"{count} series, {MOST_OF_DEVICE} shown" if count > MOST_OF_DEVICE else ""
    name: Any = html.Span("of no device")
    if device:
        name = dcc.Link(device, href=f"/inventory/{quote(device, safe='')}", className="mono")
    return html.Li([name, html.Span(more, className="t3")], className="changed-device")


def _row(its: ChangedSeries, window: Window, zone: tzinfo) -> Component:
    tone = "critical" if its.score >= 2 else "major" if its.score >= 1 else "unknown"
    when = f"{its.peak_at.astimezone(zone):%H:%M}" if its.peak_at is not None else ""
    number: list[Any] = [html.Span(className=f"mark {tone}", **attrs({"aria-hidden": "true"})), f"{its.score:.2f}"]
    help = SCORE_HELP if its.source == "scores" else f"By rollups, for it was not scored. {SCORE_HELP}"
    score: Component = html.Span(number, className="anomalies-score mono", title=help)
    if its.anomaly_id is not None:
        href = f"/anomalies?t=15d&s=0.7&sel={its.anomaly_id}"
        score = dcc.Link(number, href=href, className="anomalies-score mono", title=help)
    rest = " ".join(value for name, value in its.labels.items() if name not in HIDDEN)
    why = " ".join(filter(None, (when, f"{VIEWS[its.view]}." if its.view in VIEWS else "", its.why)))
    share = f"{its.share:.0%} of it, usually {its.usual_share:.0%}" if its.source == "scores" else ""
    name: list[Any] = [its.metric, html.Span(f" {rest}", className="t3")]
    return html.Div(
        [
            score,
            _course(its.values),
            dcc.Link(name, href=explore_href(its, window), className="mono cut", title=f"{its.metric} {rest}"),
            html.Span(why, className="changed-why cut", title=why),
            html.Span(f"{its.share:.0%}" if share else "", className="mono t3 r", title=f"{SHARE_HELP} {share}"),
        ],
        className="changed-row",
    )


def _course(values: Sequence[float | None]) -> Component:
    source = sparkline_svg([math.nan if value is None else value for value in values])
    if not source:
        return html.Span("–", className="t3")
    mask = {"--p": f'url("data:image/svg+xml,{quote(source)}")'}
    return html.Span(html.Span(className="spark plain", style=mask), className="changed-spark", title=COURSE_HELP)
