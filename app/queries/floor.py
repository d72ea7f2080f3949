"""What the floor asks: six figures, traffic, health of the sites, busiest interfaces, what changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Final

import numpy as np
from sqlalchemy import func, or_, select

from app.auth.permissions import require
from app.clock import now_ms, utc_now
from app.domain.alerting.alert import SEVERITIES
from app.domain.labels import value_of
from app.domain.samples import Float64s, Int64s, is_absent
from app.domain.tenancy import READ, Viewer
from app.domain.timerange import Window
from app.promql.result import Matrix, Vector
from app.queries import metrics
from app.queries.course import course, joined
from models.alerting import AlertEventRow, AlertRow
from models.inventory import DeviceRow, InterfaceRow, SiteRow
from models.session import tenant_session

CELL_MS: Final = 300_000
CELLS: Final = 36
EDGE_MS: Final = 15_000
WEEK_MS: Final = 7 * 86_400_000
# History comes in 5-minute steps, so a rate needs this much to see two samples.
RATE: Final = "15m"


@dataclass(frozen=True)
class Reach:
    """Devices: all that are active, those that answered last, and where the others are."""

    devices: int
    reachable: int
    never_polled: int
    away_by_site: Mapping[str, int]
    points: Sequence[float]


@dataclass(frozen=True)
class Ports:
    """Interfaces wanted up, and how many of them are not."""

    wanted: int
    down: int
    points: Sequence[float]


@dataclass(frozen=True)
class Response:
    """Minutes from firing to acknowledgement, median of the last 7 days and of the 7 before; None without any."""

    median_min: float | None
    before_min: float | None
    points: Sequence[float]


@dataclass(frozen=True)
class Traffic:
    """Bits per second: by role, in total, and in total a week before. `ts_ms` (t,), arrays (t,)."""

    ts_ms: Int64s
    by_role: Mapping[str, Float64s]
    total: Float64s
    week_before: Float64s


@dataclass(frozen=True)
class SiteState:
    """One site: the worst of each 5 minutes, oldest first, and the share of answered polls today in %."""

    site: str
    cells: tuple[str, ...]
    availability_pct: float | None


@dataclass(frozen=True)
class Busy:
    """One interface with its fuller direction."""

    device: str
    interface: str
    role: str
    utilisation: float
    rate_bps: float


@dataclass(frozen=True)
class Recent:
    """One thing that happened to an alert."""

    at: datetime
    kind: str
    actor: str
    text: str
    summary: str
    alert_id: int
    severity: str


def reach(viewer: Viewer) -> Reach:
    """How many devices answer."""
    require(viewer, READ, "devices")
    with tenant_session(viewer.tenant) as session:
        rows = session.execute(
            select(DeviceRow.is_reachable, SiteRow.name, func.count())
            .outerjoin(SiteRow, SiteRow.id == DeviceRow.site_id)
            # A host with an agent has no address and is never polled.
            .where(DeviceRow.tenant_id == viewer.tenant, DeviceRow.state == "active", DeviceRow.address != "")
            .group_by(DeviceRow.is_reachable, SiteRow.name)
        ).all()
    away = {site or "no site": count for reachable, site, count in rows if reachable is False}
    return Reach(
        devices=sum(count for _, _, count in rows),
        reachable=sum(count for reachable, _, count in rows if reachable),
        never_polled=sum(count for reachable, _, count in rows if reachable is None),
        away_by_site=dict(sorted(away.items(), key=lambda item: -item[1])),
        points=_points(viewer, "sum(snmp_up)", hours=24),
    )


def ports(viewer: Viewer) -> Ports:
    """How many interfaces are up of those that should be."""
    require(viewer, READ, "interfaces")
    wanted = InterfaceRow.admin_status == "up"
    with tenant_session(viewer.tenant) as session:
        total, down = session.execute(
            select(func.count(), func.count().filter(InterfaceRow.oper_status != "up")).where(
                InterfaceRow.tenant_id == viewer.tenant, wanted, InterfaceRow.missing_since.is_(None)
            )
        ).one()
    points = _points(viewer, "count(ifOperStatus == 1)", hours=24, points=24)
    return Ports(total, down, points)


def critical_change(viewer: Viewer, *, since: datetime) -> int:
    """How many critical alerts fired since then and still do, less those that fired before and ended since."""
    require(viewer, READ, "alerts")
    is_critical = (AlertRow.tenant_id == viewer.tenant, AlertRow.severity == "critical")
    with tenant_session(viewer.tenant) as session:
        came = session.scalar(
            select(func.count()).where(*is_critical, AlertRow.state == "firing", AlertRow.fired_at >= since)
        )
        went = session.scalar(
            select(func.count()).where(*is_critical, AlertRow.resolved_at >= since, AlertRow.fired_at < since)
        )
    return (came or 0) - (went or 0)


def response(viewer: Viewer) -> Response:
    """How long people took to acknowledge."""
    require(viewer, READ, "alerts")
    now = utc_now()
    with tenant_session(viewer.tenant) as session:
        rows = session.execute(
            select(AlertRow.fired_at, AlertRow.acknowledged_at)
            .where(
                AlertRow.tenant_id == viewer.tenant,
                AlertRow.acknowledged_at.is_not(None),
                AlertRow.fired_at >= now - timedelta(days=14),
            )
            .order_by(AlertRow.acknowledged_at)
        ).all()
    this_week: list[float] = []
    before: list[float] = []
    for fired, acknowledged in rows:
        if fired is None or acknowledged is None:
            continue
        minutes = max(0.0, (acknowledged - fired).total_seconds() / 60)
        (this_week if fired >= now - timedelta(days=7) else before).append(minutes)
    return Response(
        median(this_week) if this_week else None, median(before) if before else None, points=this_week[-30:]
    )


def availability(viewer: Viewer) -> tuple[float | None, list[float]]:
    """The share of answered polls of the last 7 days in %, and its course in 2-hour steps."""
    points = [point * 100 for point in _points(viewer, "avg(avg_over_time(snmp_up[2h]))", hours=168, points=84)]
    known = [point for point in points if np.isfinite(point)]
    return (sum(known) / len(known) if known else None), points


def traffic(viewer: Viewer, window: Window) -> Traffic:
    """What all interfaces send, and what they sent a week before."""
    step_ms = max(window.step_ms(240), 60_000)
    asked = window.aligned(step_ms)
    rate = f"{max(900, 2 * step_ms // 1000)}s"
    # A window with fixed ends is asked once.
    ask = course if window.relative else _range
    now = ask(viewer, f"sum by (role) (rate(ifHCOutOctets[{rate}])) * 8", asked, step_ms)
    before = ask(viewer, f"sum(rate(ifHCOutOctets[{rate}])) * 8", asked.earlier(WEEK_MS), step_ms)
    if window.relative:
        now = _with_edge(viewer, now)
    values = _gaps(now.values)
    by_role = {value_of(labels, "role") or "other": values[index] for index, labels in enumerate(now.labels)}
    total = np.nansum(values, axis=0) if len(values) else np.full(len(now.ts_ms), np.nan)
    if len(values):
        total = np.where(np.isfinite(values).any(axis=0), total, np.nan)
    week_before = _gaps(before.values)[0] if len(before) else np.full(len(before.ts_ms), np.nan)
    return Traffic(
        now.ts_ms, by_role, total, np.append(week_before, np.full(len(now.ts_ms) - len(before.ts_ms), np.nan))
    )


def newest_ms(viewer: Viewer) -> int | None:
    """When the newest poll was; None when there was none in the last hour."""
    expr = "max(timestamp(snmp_up))"
    found = _now(viewer, expr)
    if len(found):
        return int(found.values[0, 0] * 1000)
    longer = metrics.query_instant(viewer, expr, at_ms=now_ms(), timeout_s=10, lookback_ms=3_600_000)
    return int(longer.values[0] * 1000) if isinstance(longer, Vector) and len(longer) else None


def site_states(viewer: Viewer) -> list[SiteState]:
    """Every site with a device: the last 3 hours in 36 cells, and today's availability."""
    end = -(-now_ms() // CELL_MS) * CELL_MS
    window = Window(end - CELLS * CELL_MS, end)
    midnight = datetime.fromtimestamp(end / 1000, UTC).replace(hour=0, minute=0, second=0)
    today = Window(min(int(midnight.timestamp() * 1000), window.start_ms), end)
    answered = course(viewer, "avg by (site) (avg_over_time(snmp_up[5m]))", today, CELL_MS)
    alerts = _alert_spans(viewer, window)
    states = []
    for index, labels in enumerate(answered.labels):
        site = value_of(labels, "site")
        if not site:
            continue
        values = _gaps(answered.values[index])
        is_today = answered.ts_ms >= midnight.timestamp() * 1000
        known = values[is_today & np.isfinite(values)]
        # A point at t is the mean of the 5 minutes up to t, which is the cell that ends there.
        cells = _cells(values[-CELLS:], alerts.get(site, []), window)
        states.append(SiteState(site, cells, float(known.mean() * 100) if len(known) else None))
    return sorted(states, key=lambda state: state.site)


def busiest(viewer: Viewer, *, most: int = 11) -> list[Busy]:
    """The interfaces with the fullest direction now; over 5 minutes, or 15 where samples come too seldom for that."""
    return _busiest(viewer, "5m", most) or _busiest(viewer, RATE, most)


def recent(viewer: Viewer, *, most: int = 8) -> list[Recent]:
    """The last things that happened to alerts: fired, acknowledged, assigned, resolved, ..."""
    require(viewer, READ, "alerts")
    query = (
        select(AlertEventRow, AlertRow.summary, AlertRow.severity)
        .join(AlertRow, AlertRow.id == AlertEventRow.alert_id)
        .where(AlertEventRow.tenant_id == viewer.tenant, AlertEventRow.kind != "pending", AlertEventRow.kind != "sent")
        .order_by(AlertEventRow.at.desc(), AlertEventRow.id.desc())
        .limit(most)
    )
    with tenant_session(viewer.tenant) as session:
        return [
            Recent(row.at, row.kind, row.actor, row.text, summary, row.alert_id, severity)
            for row, summary, severity in session.execute(query)
        ]


def has_devices(viewer: Viewer) -> bool:
    """Whether there is anything to watch at all."""
    require(viewer, READ, "devices")
    with tenant_session(viewer.tenant) as session:
        first = session.scalar(select(DeviceRow.id).where(DeviceRow.tenant_id == viewer.tenant).limit(1))
    return first is not None


def _busiest(viewer: Viewer, over: str, most: int) -> list[Busy]:
    found: dict[tuple[str, str], Busy] = {}
    for metric in ("ifHCInOctets", "ifHCOutOctets"):
        full = _now(viewer, f"topk({most}, rate({metric}[{over}]) * 8 / (ifSpeed > 0))")
        for labels, ratio in zip(full.labels, full.values[:, 0], strict=True):
            key = value_of(labels, "device"), value_of(labels, "ifName")
            if np.isfinite(ratio) and (key not in found or found[key].utilisation < ratio):
                found[key] = Busy(*key, value_of(labels, "role"), float(ratio), 0.0)
    fullest = sorted(found.values(), key=lambda busy: -busy.utilisation)[:most]
    speeds = _speeds(viewer, {busy.device for busy in fullest}) if fullest else {}
    return [
        replace(busy, rate_bps=busy.utilisation * speeds.get((busy.device, busy.interface), 0.0)) for busy in fullest
    ]


def _points(viewer: Viewer, expr: str, *, hours: int, points: int = 48) -> list[float]:
    """The course of one number, for a sparkline; NaN = no data."""
    step_ms = hours * 3_600_000 // points
    end = now_ms() // step_ms * step_ms
    matrix = course(viewer, expr, Window(end - hours * 3_600_000, end), step_ms)
    return _gaps(matrix.values)[0].tolist() if len(matrix) else []


def _range(viewer: Viewer, expr: str, window: Window, step_ms: int) -> Matrix:
    return metrics.query_range(
        viewer, expr, start_ms=window.start_ms, end_ms=window.end_ms, step_ms=step_ms, timeout_s=10
    )


def _with_edge(viewer: Viewer, found: Matrix) -> Matrix:
    """The last step may be minutes old: one point more, of this moment."""
    expr = "sum by (role) (rate(ifHCOutOctets[{}])) * 8"
    edge = _now(viewer, expr.format("5m"))
    if not len(edge):
        edge = _now(viewer, expr.format(RATE))
    if not len(edge) or edge.ts_ms[0] <= found.ts_ms[-1]:
        return found
    return joined(found, edge)


def _now(viewer: Viewer, expr: str) -> Matrix:
    """The value of an expression at the last multiple of 15 s, the same for all who ask in that time."""
    edge = now_ms() // EDGE_MS * EDGE_MS
    return course(viewer, expr, Window(edge, edge), EDGE_MS)


def _speeds(viewer: Viewer, devices: set[str]) -> dict[tuple[str, str], float]:
    pattern = "|".join(_quoted(name) for name in sorted(devices))
    found = _now(viewer, f'ifSpeed{{device=~"{pattern}"}}')
    return {
        (value_of(each, "device"), value_of(each, "ifName")): float(speed)
        for each, speed in zip(found.labels, found.values[:, 0], strict=True)
    }


def _quoted(name: str) -> str:
    """A name inside a regular expression inside a PromQL string."""
    escaped = "".join(letter if letter.isalnum() or letter in "-_" else f"\\{letter}" for letter in name)
    return escaped.replace("\\", "\\\\").replace('"', '\\"')


def _alert_spans(viewer: Viewer, window: Window) -> dict[str, list[tuple[float, float, str]]]:
    """Alerts that overlap the window, by site: start and end in ms, severity."""
    start = datetime.fromtimestamp(window.start_ms / 1000, UTC)
    with tenant_session(viewer.tenant) as session:
        rows = session.execute(
            select(AlertRow.site_name, AlertRow.severity, AlertRow.fired_at, AlertRow.resolved_at).where(
                AlertRow.tenant_id == viewer.tenant,
                AlertRow.fired_at.is_not(None),
                or_(AlertRow.resolved_at.is_(None), AlertRow.resolved_at >= start),
            )
        ).all()
    spans: dict[str, list[tuple[float, float, str]]] = {}
    for site, severity, fired, resolved in rows:
        if fired is None:
            continue
        end = resolved.timestamp() * 1000 if resolved else float("inf")
        spans.setdefault(site, []).append((fired.timestamp() * 1000, end, severity))
    return spans


def _cells(answered: Float64s, alerts: Sequence[tuple[float, float, str]], window: Window) -> tuple[str, ...]:
    cells = []
    for index in range(CELLS):
        start = window.start_ms + index * CELL_MS
        worst = min(
            (SEVERITIES.index(severity) for begin, end, severity in alerts if begin < start + CELL_MS and end > start),
            default=None,
        )
        has_data = index < len(answered) and np.isfinite(answered[index])
        cells.append(str(SEVERITIES[worst]) if worst is not None else "ok" if has_data else "none")
    return tuple(cells)


def _gaps(values: Float64s) -> Float64s:
    """Absent points as plain NaN."""
    return np.where(is_absent(values), np.nan, values)
