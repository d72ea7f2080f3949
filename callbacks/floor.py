"""What fills the floor."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import numpy as np
from dash import Dash, Input, Output, dcc, html
from dash.development.base_component import Component

from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.clock import now_ms, utc_now
from app.domain.alerting.alert import Alert, Severity
from app.domain.tenancy import READ, Viewer
from app.domain.timerange import Window
from app.domain.units import format_age, format_number, scale_for
from app.figures.bars import severity_bars
from app.figures.theme import series_colour, token
from app.figures.timeseries import Line, lines
from app.queries import alerts, floor
from app.runtime.home import home_of
from app.settings import Settings
from app.ui import shell
from app.ui.components.attributes import attrs
from app.ui.components.chart import chart
from app.ui.components.marks import bar, icon, severity_mark
from app.ui.components.site_health import SiteHealth, site_health_strip
from app.ui.components.states import nothing, stale
from app.ui.components.table import Column, table
from app.ui.components.tile import Figure, Trend, tile
from app.ui.errors import shown_in_panel
from app.ui.urlstate import View
from app.ui.zone import current_view
from pages import floor as ids

BUCKET_S: Final = 900
TARGET_PCT: Final = 99.95
MOST_ROLES: Final = 3
# Devices are polled several times in this time.
STALE_MS: Final = 120_000
VERBS: Final = {
    "fired": "Started",
    "resolved": "Ended",
    "acknowledged": "Acknowledged",
    "unacknowledged": "Acknowledgement taken back",
    "assigned": "Assigned",
    "snoozed": "Snoozed",
    "commented": "Commented",
}


@shown_in_panel("Could not load the figures")
@guarded(READ, "devices")
def show_tiles(_search: str, _tick: Any, _live: Any, _refresh: Any) -> list[Component]:
    """The six figures."""
    viewer = current_viewer()
    figures = [
        _devices(viewer),
        _critical(viewer),
        _response(viewer),
        _availability(viewer),
        _traffic_now(viewer),
        _ports(viewer),
    ]
    return [tile(figure, key=str(number)) for number, figure in enumerate(figures, start=1)]


@shown_in_panel("Could not load alerts")
@guarded(READ, "alerts")
def show_severity(search: str, _live: Any, _refresh: Any) -> Component:
    """Alerts that began, by severity, in 15-minute bars."""
    view = current_view(search)
    width_s = max(BUCKET_S, view.window.step_ms(110) // 1000)
    whole = view.window.aligned(width_s * 1000)
    # The bar that is still growing belongs to the picture.
    window = Window(whole.start_ms, whole.end_ms + width_s * 1000)
    start, end = _moment(window.start_ms), _moment(window.end_ms)
    buckets = alerts.history(current_viewer(), start=start, end=end, bucket_s=width_s)
    ts_ms = np.array([int(bucket.at.timestamp() * 1000) for bucket in buckets], dtype=np.int64)
    counts = {str(name): [bucket.counts[name] for bucket in buckets] for name in Severity}
    figure = severity_bars(ts_ms, counts, width_ms=width_s * 1000, window=window, zone=view.zone)
    total = sum(map(sum, counts.values()))
    if not total:
        return nothing(
            "No alert began in this range", "Rules are evaluated every few seconds.", icon_name="circle-check"
        )
    return chart("floor-severity-chart", figure, label=f"{total} alerts began in this range, as bars by severity")


@shown_in_panel("Could not load traffic", outputs=2)
@guarded(READ, "metrics")
def show_traffic(search: str, _tick: Any, _refresh: Any) -> tuple[Component, str]:
    """Traffic by role, in total, and in total a week before."""
    view = current_view(search)
    found = floor.traffic(current_viewer(), view.window)
    if not len(found.by_role):
        return nothing("No traffic yet", "Rates appear two polls after a device answers.", icon_name="activity"), ""
    scale = scale_for(float(np.nanmax(found.total, initial=0.0)), "bps")
    roles = sorted(found.by_role, key=lambda role: -_last(found.by_role[role]))
    series = [
        Line(role.capitalize(), found.ts_ms, found.by_role[role] * scale.factor, series_colour(index), 1.6)
        for index, role in enumerate(roles[:MOST_ROLES])
    ]
    series.append(Line("Total", found.ts_ms, found.total * scale.factor, token("t1"), 2.2))
    if np.isfinite(found.week_before).any():
        before = found.week_before[: len(found.ts_ms)] * scale.factor
        series.append(Line("7 days earlier", found.ts_ms, before, token("t3"), 1.2, dash="dot"))
    figure = lines(series, window=view.window, zone=view.zone, unit=scale.unit, legend=True)
    sentence = f"Total traffic is now {format_number(_last(found.total) * scale.factor)} {scale.unit}"
    drawn = chart("floor-traffic-chart", figure, label=sentence)
    banner = _stale(found, view) if view.window.relative else None
    whole = drawn if banner is None else html.Div([banner, drawn], className="floor-stale")
    return whole, f"{scale.unit}, sent by all interfaces"


@shown_in_panel("Could not load site health")
@guarded(READ, "sites")
def show_sites(_tick: Any, _live: Any, _refresh: Any) -> Component:
    """One row per site."""
    states = floor.site_states(current_viewer())
    if not states:
        return nothing("No site reports yet", "A site appears when one of its devices is polled.", icon_name="map-pin")
    return site_health_strip([SiteHealth(state.site, state.cells, state.availability_pct) for state in states])


@shown_in_panel("Could not load interfaces")
@guarded(READ, "interfaces")
def show_busiest(_tick: Any, _refresh: Any) -> Component:
    """The fullest interfaces, as bars."""
    found = floor.busiest(current_viewer())
    if not found:
        return nothing("No utilisation yet", "It needs two polls and a known speed.", icon_name="activity")
    scale = scale_for(max(busy.rate_bps for busy in found), "bps")
    columns = [
        Column("Interface", "mono"),
        Column("Role"),
        Column("Utilisation", width="26%"),
        Column(""),
        Column(scale.unit, "num"),
    ]
    rows = [
        [
            html.Span(
                [
                    dcc.Link(busy.device, href=f"/inventory/{busy.device}", className="plain-link"),
                    html.Span(f" {busy.interface}", className="t2"),
                ]
            ),
            busy.role.capitalize(),
            bar(busy.utilisation, severity=_tone(busy.utilisation)),
            html.Span(f"{busy.utilisation * 100:.0f}%", className="mono"),
            format_number(busy.rate_bps * scale.factor),
        ]
        for busy in found
    ]
    return table(columns, rows, label="Busiest interfaces")


@shown_in_panel("Could not load alerts")
@guarded(READ, "alerts")
def show_open(_live: Any, _refresh: Any) -> Component:
    """The alerts that matter most."""
    found = alerts.open_alerts(current_viewer(), alerts.AlertFilter(limit=6))
    if not found:
        return nothing("Nothing is firing", "All rules are quiet.", icon_name="circle-check")
    return html.Div([_alert_line(alert) for alert in found], className="alert-lines")


@shown_in_panel("Could not load changes")
@guarded(READ, "alerts")
def show_recent(_live: Any, _refresh: Any) -> Component:
    """What happened last."""
    found = floor.recent(current_viewer())
    if not found:
        return nothing(
            "Nothing has happened yet", "Alerts and what people do with them show here.", icon_name="history"
        )
    now = utc_now()
    return html.Ul([_recent_line(item, format_age(item.at, now)) for item in found], className="timeline")


@shown_in_panel("Could not look for devices")
@guarded(READ, "devices")
def show_setup(_tick: Any, _refresh: Any) -> Component | None:
    """The first-run card while there is no device; the progress while the demo's history loads."""
    if not floor.has_devices(current_viewer()):
        return _setup_card()
    percent = _history_percent()
    return None if percent is None else _history_line(percent)


def register(dash_app: Dash) -> None:
    """Bind the callbacks of the floor."""
    search, refresh = Input(shell.URL, "search"), Input(shell.REFRESH, "data")
    tick, live = Input(shell.TICK, "data"), Input(shell.LIVE, "data")
    dash_app.callback(Output(ids.TILES, "children"), search, tick, live, refresh)(show_tiles)
    dash_app.callback(Output(ids.SEVERITY, "children"), search, live, refresh)(show_severity)
    dash_app.callback(
        Output(ids.TRAFFIC, "children"), Output(f"{ids.TRAFFIC}-scope", "children"), search, tick, refresh
    )(show_traffic)
    dash_app.callback(Output(ids.SITES, "children"), tick, live, refresh)(show_sites)
    dash_app.callback(Output(ids.BUSIEST, "children"), tick, refresh)(show_busiest)
    dash_app.callback(Output(ids.OPEN, "children"), live, refresh)(show_open)
    dash_app.callback(Output(ids.RECENT, "children"), live, refresh)(show_recent)
    dash_app.callback(Output(ids.SETUP, "children"), tick, refresh)(show_setup)


def _stale(found: floor.Traffic, view: View) -> Component | None:
    """Says so when the charts end because nothing new arrives."""
    known = found.ts_ms[np.isfinite(found.total)]
    newest = floor.newest_ms(current_viewer()) or (int(known[-1]) if len(known) else 0)
    if now_ms() - newest <= STALE_MS:
        return None
    since = _moment(newest).astimezone(view.zone)
    return stale(f"No new samples since {since:%d %b %H:%M} {view.zone_name}; what is shown ends there.")


def _devices(viewer: Viewer) -> Figure:
    reach = floor.reach(viewer)
    away = reach.devices - reach.reachable - reach.never_polled
    if away:
        site, count = next(iter(reach.away_by_site.items()))
        context = (
            f"{away} unreachable, {count} in {site}" if len(reach.away_by_site) > 1 else f"{away} unreachable in {site}"
        )
    elif reach.never_polled:
        context = f"{reach.never_polled} not polled yet"
    else:
        context = "All answer" if reach.devices else "None yet"
    return Figure(
        "Devices reachable",
        str(reach.reachable),
        f"/ {reach.devices}",
        context,
        reach.points,
        "bad" if away else "good",
        "/inventory?f=state:down" if away else "/inventory",
    )


def _critical(viewer: Viewer) -> Figure:
    now = utc_now()
    count = alerts.counts(viewer)[Severity.CRITICAL]
    since = now - timedelta(hours=1)
    change = floor.critical_change(viewer, since=since)
    context = f"{change:+d} in the last hour".replace("-", "−") if change else "No change in the last hour"
    buckets = alerts.history(viewer, start=now - timedelta(hours=24), end=now, bucket_s=3600)
    points = [float(bucket.counts[Severity.CRITICAL]) for bucket in buckets]
    trend: Trend = "bad" if count else "good"
    return Figure("Open critical", str(count), "", context, points, trend, "/alerts?f=sev:critical")


def _response(viewer: Viewer) -> Figure:
    found = floor.response(viewer)
    if found.median_min is None:
        return Figure("Time to acknowledge", "–", "", "Nothing acknowledged in 7 days", href="/alerts")
    context = "Median of 7 days"
    trend: Trend = "plain"
    if found.before_min is not None:
        change = found.median_min - found.before_min
        context = f"{change:+.1f} min vs last week".replace("-", "−")
        trend = "good" if change <= 0 else "bad"
    value = format_number(found.median_min, digits=2)
    return Figure("Time to acknowledge", value, "min", context, found.points, trend, "/alerts")


def _availability(viewer: Viewer) -> Figure:
    value, points = floor.availability(viewer)
    if value is None:
        return Figure("Availability, 7 d", "–", "", f"Target {TARGET_PCT} %")
    trend: Trend = "good" if value >= TARGET_PCT else "bad"
    digits = f"{value:.3f}" if value < 100 else "100"
    return Figure("Availability, 7 d", digits, "%", f"Target {TARGET_PCT} %", points, trend, "/inventory")


def _traffic_now(viewer: Viewer) -> Figure:
    end = now_ms()
    found = floor.traffic(viewer, Window(end - 86_400_000, end, "24h"))
    now = _last(found.total)
    if not np.isfinite(now):
        return Figure("Traffic now", "–", "", "No rates yet", href="/explore")
    scale = scale_for(now, "bps")
    before = _last(found.week_before[: len(found.ts_ms)])
    change = (now / before - 1) * 100 if np.isfinite(before) and before > 0 else float("nan")
    context = f"{change:+.1f} % vs 7 days ago".replace("-", "−") if np.isfinite(change) else "Sent by all interfaces"
    step = max(1, len(found.total) // 60)
    points = [float(value) for value in found.total[::step]]
    return Figure("Traffic now", format_number(now * scale.factor), scale.unit, context, points, "plain", "/explore")


def _ports(viewer: Viewer) -> Figure:
    found = floor.ports(viewer)
    context = f"{found.down} down that should be up" if found.down else "None down that should be up"
    trend: Trend = "bad" if found.down else "good"
    up = f"{found.wanted - found.down:,}"
    return Figure("Interfaces up", up, f"/ {found.wanted:,}", context, found.points, trend, "/inventory")


def _alert_line(alert: Alert) -> Component:
    who = alert.assigned_name or alert.acknowledged_by or ""
    return dcc.Link(
        [
            severity_mark(alert.severity),
            html.Span(f"A-{alert.id}", className="mono t2"),
            html.Span(alert.summary, className="grow cut", title=alert.summary),
            html.Span(who, className="t2 cut who-small"),
            html.Span(format_age(alert.since, utc_now()), className="mono t2"),
        ],
        href=f"/alerts?sel={alert.id}",
        className="alert-line",
    )


def _recent_line(item: floor.Recent, age: str) -> Component:
    verb = VERBS.get(item.kind, item.kind.capitalize())
    text = f": {item.text}" if item.text and item.kind == "commented" else ""
    by = f", {item.actor}" if item.actor else ""
    return html.Li(
        [
            dcc.Link(item.summary, href=f"/alerts?sel={item.alert_id}", className="plain-link"),
            html.Span(f"{verb}{text} {age} ago{by}", className="meta"),
        ],
        **attrs({"data-severity": item.severity}),
    )


def _setup_card() -> Component:
    steps: Sequence[tuple[str, str, str, str]] = (
        ("1", "Say how devices are asked", "Store an SNMP community. It is sealed and never shown again.", "/admin"),
        (
            "2",
            "Add the first device",
            "Name and address are enough; discovery finds its ports and neighbours.",
            "/inventory",
        ),
        ("3", "Or send samples", "Prometheus remote write, or JSON to /api/v1/ingest, with a token.", "/admin"),
    )
    return html.Section(
        [
            html.H2("Three steps to a living floor"),
            html.Ol(
                [
                    html.Li(
                        dcc.Link(
                            [
                                html.Span(number, className="step"),
                                html.Span([html.Strong(title), html.Span(text, className="t2")]),
                            ],
                            href=href,
                        )
                    )
                    for number, title, text, href in steps
                ]
            ),
        ],
        className="panel setup",
        **attrs({"aria-label": "First steps"}),
    )


def _history_percent() -> float | None:
    """How much of the demo's history is loaded; None when that is over, or was never asked for."""
    path = home_of(Settings.from_env()).root / "demo" / "history.json"
    try:
        progress = msgspec.json.decode(path.read_bytes())
        return None if progress["done"] else float(progress["percent"])
    except (OSError, msgspec.DecodeError, KeyError, TypeError, ValueError):
        return None


def _history_line(percent: float) -> Component:
    return html.Div(
        [
            icon("history"),
            html.Span("Loading 15 days of history for the demo network"),
            bar(percent / 100),
            html.Span(f"{percent:.0f} %", className="mono t2"),
        ],
        className="panel floor-history",
        role="status",
        style={"flexDirection": "row"},
    )


def _tone(utilisation: float) -> str:
    return "critical" if utilisation >= 0.95 else "major" if utilisation >= 0.9 else ""


def _last(values: Any) -> float:
    known = values[np.isfinite(values)]
    return float(known[-1]) if len(known) else float("nan")


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
