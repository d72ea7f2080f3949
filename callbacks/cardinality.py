"""Admin: which metrics and labels the series come from, and how they grow."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode

import numpy as np
from dash import Dash, dcc, html
from dash.development.base_component import Component

from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.clock import utc_now
from app.domain.samples import Int64s
from app.domain.tenancy import READ
from app.domain.timerange import Window
from app.errors import InvalidInput
from app.figures.bars import count_bars
from app.queries import cardinality, ingest
from app.tsdb.cardinality import LabelValues, MetricSeries
from app.ui.components.admin import group_heading
from app.ui.components.chart import chart
from app.ui.components.marks import bar
from app.ui.components.states import nothing
from app.ui.components.table import Column, table
from app.ui.zone import current_view
from callbacks.admin import Command, Reply, bind

NOUN: Final = "cardinality"
DAY: Final = timedelta(days=1)
DAYS: Final = 30
METRICS: Final = [
    Column("Metric", "mono"),
    Column("Series", "num"),
    Column("", width="110px"),
    Column("New in a day", "num"),
    Column("New in a week", "num"),
]
LABELS: Final = [
    Column("Label", "mono"),
    Column("Values", "num"),
    Column("Series", "num"),
    Column("New values in a day", "num"),
    Column("In a week", "num"),
    Column("Most series", "mono"),
]


@guarded(READ, "cardinality")
def show(search: str, _version: int, _refresh: int) -> Component:
    """The totals, how many series came on each day, and the greatest metrics and labels."""
    view = current_view(search)
    viewer, now = current_viewer(), utc_now()
    found = cardinality.cardinality(viewer)
    if not found.series:
        return nothing("No series yet", "They appear with the first sample that is sent.", icon_name="layers")
    limit = ingest.usage(viewer).active_series
    facts = (
        ("Active series", f"{found.active:,} of {limit:,}"),
        ("In the catalogue", f"{found.series:,}"),
        ("New in a day", f"{found.day:,}"),
        ("New in a week", f"{found.week:,}"),
    )
    first = (now - DAYS * DAY).replace(hour=0, minute=0, second=0, microsecond=0)
    # To the end of today: its bar is as wide as the others.
    last = first + (DAYS + 1) * DAY
    window = Window(int(first.timestamp() * 1000), int(last.timestamp() * 1000))
    figure = count_bars(*_by_day(found.new_by_day, first), width_ms=86_400_000, window=window, zone=view.zone)
    parts = [
        html.Dl([part for name, value in facts for part in (html.Dt(name), html.Dd(value))], className="facts"),
        _heading("New series by day", "Each is an object to keep in memory; a step here is worth a look"),
        chart("cardinality-course", figure, label="New series by day", height=150),
        _heading("Metrics with most series", "A metric's series are the combinations of its labels' values"),
        _metrics(found.metrics, found.series),
        _heading("Labels with most values", "One that holds ids, ports or times multiplies every metric that has it"),
        _labels(found.labels),
    ]
    return html.Div(parts, className="scroll")


@guarded(READ, "cardinality")
def run(command: Command) -> Reply:
    """There is nothing to be done here but to look."""
    raise InvalidInput("verb", f"{command.verb!r} is not something that can be done here")


def register(dash_app: Dash) -> None:
    """Bind the section."""
    bind(dash_app, NOUN, show=show, run=run)


def _heading(text: str, about: str) -> Component:
    return group_heading(text, html.Span(about, className="t2"), class_name="storage-group")


def _metrics(metrics: Sequence[MetricSeries], total: int) -> Component:
    rows = [
        (
            dcc.Link(each.name or "(no name)", href=f"/explore?{urlencode({'q': _selector(each.name)})}"),
            f"{each.series:,}",
            bar(each.series / total),
            _new(each.day),
            _new(each.week),
        )
        for each in metrics
    ]
    return table(METRICS, rows, label="Metrics with most series")


def _selector(name: str) -> str:
    return f"count({{__name__={json.dumps(name)}}})"


def _labels(labels: Sequence[LabelValues]) -> Component:
    rows = [
        (
            each.name,
            f"{each.values:,}",
            f"{each.series:,}",
            _new(each.day),
            _new(each.week),
            html.Div(", ".join(each.examples), className="admin-change", title=", ".join(each.examples)),
        )
        for each in labels
    ]
    return table(LABELS, rows, label="Labels with most values")


def _new(count: int) -> str:
    return f"+{count:,}" if count else "–"


def _by_day(counts: Sequence[tuple[datetime, int]], first: datetime) -> tuple[Int64s, list[int]]:
    """The starts of the days in ms, and how many series were new on each."""
    found = {day.date(): count for day, count in counts}
    days = [first + number * DAY for number in range(DAYS + 1)]
    return np.array([int(day.timestamp() * 1000) for day in days]), [found.get(day.date(), 0) for day in days]
