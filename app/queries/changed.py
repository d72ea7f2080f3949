"""What changed here? Every series of a tenant, ranked by how unusual it was in a window of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from sqlalchemy import Connection, select, text, tuple_

from app.auth.permissions import require
from app.domain.anomaly.base import View
from app.domain.anomaly.changed import BOUNDARY_DEVIATIONS, HIGHEST, Changed, ChangedSeries, deviations, ranks
from app.domain.anomaly.verdicts import multiplier
from app.domain.labels import METRIC, Labels, Matcher, MatchOp, value_of
from app.domain.samples import Float64s
from app.domain.tenancy import READ, TenantId, Viewer
from app.domain.timerange import Window
from app.domain.units import format_number
from app.errors import InvalidInput
from app.queries.feedback import steps_of
from app.tsdb import places, rolled, scores
from app.tsdb.blocks import moment
from app.tsdb.places import Place
from app.tsdb.selection import Group, select_series
from models.anomalies import AnomalyRow
from models.session import tenant_connection, tenant_session

NOUN: Final = "anomalies"
MOST: Final = 500
SHORTEST_MS: Final = 60_000
LONGEST_MS: Final = scores.KEPT_DAYS * 86_400_000
# What the window is compared with: so much before it.
BEFORE: Final = 4
LEAST_BEFORE_MS, MOST_BEFORE_MS = 3_600_000, 86_400_000
POINTS: Final = 48
# Of what was not scored, cells of an hour are compared; of less than this those of five minutes.
FINE_MS: Final = 4 * 3_600_000
SERIES_AT_ONCE: Final = 4_000
_COUNT = text("select count(*) from series where tenant_id = :tenant")
_EVERY: Final = (Matcher(METRIC, MatchOp.NOT_EQUAL, ""),)


@dataclass(frozen=True)
class _Found:
    """A ranked series before anything else is known of it. octet: its highest stored score; 0: by rollups."""

    place: Place
    rank: float
    score: float
    share: float = 0.0
    usual: float = 0.0
    octet: int = 0
    deviations: float = 0.0


def changed(viewer: Viewer, window: Window, *, limit: int = 50) -> Changed:
    """The series that were most unusual in the window, at most `limit`. Raises InvalidInput for a window too long."""
    require(viewer, READ, NOUN)
    if not SHORTEST_MS <= window.length_ms <= LONGEST_MS:
        raise InvalidInput("to", f"the window must be from a minute to {scores.KEPT_DAYS} days long")
    tenant = viewer.tenant
    with tenant_session(tenant) as session:
        boundary = multiplier(steps_of(session, tenant))
    before_ms = window.start_ms - min(max(BEFORE * window.length_ms, LEAST_BEFORE_MS), MOST_BEFORE_MS)
    with tenant_connection(tenant, read_only=True) as connection:
        found, scored = _by_scores(connection, tenant, window, before_ms, boundary)
        others, unranked = _by_rollups(connection, tenant, window, scored)
        everything = sorted([*found, *others], key=lambda its: (-its.rank, its.place))
        chosen = [its for its in everything[: min(limit, MOST)] if its.rank > 0]
        items = _told(connection, tenant, window, chosen)
    above = sum(its.score >= boundary for its in everything)
    return Changed(items, len(everything) + unranked, above, unranked)


def _by_scores(
    connection: Connection, tenant: TenantId, window: Window, before_ms: int, boundary: float
) -> tuple[list[_Found], set[Place]]:
    """Every series that was scored in the window, and their places."""
    packed = scores.packed(connection, tenant, before_ms=before_ms, start_ms=window.start_ms, end_ms=window.end_ms)
    octet = int(scores.encode(np.array([boundary]))[0])
    found: list[_Found] = []
    for group_id, (inside, before) in packed.items():
        if not len(inside):
            continue
        width = inside.shape[1]
        past = np.zeros((len(before), width), dtype=np.uint8)
        past[:, : min(width, before.shape[1])] = before[:, :width]
        rank, peak, share, usual = ranks(inside, past, octet)
        for slot in np.flatnonzero(peak).tolist():
            score = (int(peak[slot]) - 1) / scores.STEPS_PER_UNIT
            place = (group_id, slot)
            own_rank = float(rank[slot]) / scores.STEPS_PER_UNIT
            found.append(_Found(place, own_rank, score, float(share[slot]), float(usual[slot]), int(peak[slot])))
    return found, {its.place for its in found}


def _by_rollups(
    connection: Connection, tenant: TenantId, window: Window, scored: set[Place]
) -> tuple[list[_Found], int]:
    """The series that were not scored, by how far their mean went; and how many have no past to compare with."""
    if (connection.scalar(_COUNT, {"tenant": tenant}) or 0) <= len(scored):
        return [], 0
    rest = _without(select_series(connection, tenant, _EVERY), scored)
    tier = 300 if window.length_ms < FINE_MS else 3600
    length_ms = max(-(-window.length_ms // (tier * 1000)), 1) * tier * 1000
    end_ms = -(-window.end_ms // (tier * 1000)) * tier * 1000
    start_ms = end_ms - length_ms
    before_ms = start_ms - max(6 * length_ms, 24 * tier * 1000)
    found: list[_Found] = []
    for chunk in _chunks(rest):
        cells = rolled.select(
            connection, tenant, chunk, tier=tier, start_ms=before_ms, end_ms=end_ms, stats=places.STATS
        )
        place_of = {
            labels: (group.group_id, int(slot))
            for group in chunk
            for slot, labels in zip(group.slots, group.labels, strict=True)
        }
        for block in cells or ():
            is_rate = np.array(places.counters(connection, tenant, block.labels))
            values = places.cell_values(block, is_rate)
            is_inside = block.end_ms > start_ms
            far = deviations(values[is_inside], values[~is_inside])
            for column in np.flatnonzero(np.isfinite(far)).tolist():
                score = min(float(far[column]) / BOUNDARY_DEVIATIONS, HIGHEST)
                place = place_of[block.labels[column]]
                found.append(_Found(place, score, score, deviations=float(far[column])))
    return found, sum(len(group.slots) for group in rest) - len(found)


def _without(groups: Sequence[Group], scored: set[Place]) -> list[Group]:
    rest = []
    for group in groups:
        kept = [at for at, slot in enumerate(group.slots.tolist()) if (group.group_id, slot) not in scored]
        if kept:
            rest.append(Group(group.group_id, group.slots[kept], tuple(group.labels[at] for at in kept)))
    return rest


def _chunks(groups: Sequence[Group]) -> list[list[Group]]:
    chunks: list[list[Group]] = []
    size = SERIES_AT_ONCE
    for group in groups:
        if size >= SERIES_AT_ONCE:
            chunks.append([])
            size = 0
        chunks[-1].append(group)
        size += len(group.slots)
    return chunks


def _told(connection: Connection, tenant: TenantId, window: Window, chosen: Sequence[_Found]) -> list[ChangedSeries]:
    """What is told of each chosen series: labels, course, when and why."""
    if not chosen:
        return []
    labels = places.labels_at(connection, tenant, [its.place for its in chosen])
    start_ms, end_ms = window.start_ms, window.end_ms
    values = places.courses(
        connection, tenant, labels, start_ms=start_ms - window.length_ms, end_ms=end_ms, points=POINTS
    )
    is_rate = dict(zip(labels, places.counters(connection, tenant, list(labels.values())), strict=True))
    wanted = [(*its.place, its.octet) for its in chosen if its.octet]
    when = scores.when(connection, tenant, wanted, start_ms=start_ms, end_ms=end_ms)
    anomalies = _anomalies(tenant, window, [its.place for its in chosen])
    return [
        _series(
            its,
            labels[its.place],
            values[its.place],
            anomalies.get(its.place),
            is_rate=is_rate[its.place],
            peak_at=moment(when[its.place]) if its.place in when else None,
        )
        for its in chosen
        if its.place in labels
    ]


def _series(
    its: _Found, labels: Labels, values: Float64s, row: AnomalyRow | None, *, is_rate: bool, peak_at: datetime | None
) -> ChangedSeries:
    return ChangedSeries(
        metric=value_of(labels, METRIC),
        labels=dict(labels),
        device=value_of(labels, "device"),
        interface=value_of(labels, "ifName"),
        rank=round(its.rank, 4),
        score=round(its.score, 4),
        share=round(its.share, 4),
        usual_share=round(its.usual, 4),
        peak_at=peak_at,
        view=View(row.view).name.lower() if row is not None else "",
        why=View(row.view).sentence if row is not None else _why(its),
        anomaly_id=row.id if row is not None else None,
        is_rate=is_rate,
        values=[value if np.isfinite(value) else None for value in values.tolist()],
        source="scores" if its.octet else "rollups",
    )


def _why(its: _Found) -> str:
    if not its.octet:
        far = format_number(its.deviations, digits=2)
        return f"Its mean in the window is {far} robust deviations from what it was before."
    if its.share:
        return f"{its.share:.0%} of the window was above the boundary; before it was {its.usual:.0%}."
    return "It came nearer to the boundary than other series, but not over it."


def _anomalies(tenant: TenantId, window: Window, wanted: Sequence[Place]) -> dict[Place, AnomalyRow]:
    """The worst anomaly of each series that has a part in the window."""
    # Uses anomalies_tenant_id_group_id_slot_started_at_key.
    query = select(AnomalyRow).where(
        AnomalyRow.tenant_id == tenant,
        tuple_(AnomalyRow.group_id, AnomalyRow.slot).in_(wanted),
        AnomalyRow.last_at >= moment(window.start_ms),
        AnomalyRow.started_at <= moment(window.end_ms),
    )
    with tenant_session(tenant) as session:
        rows = list(session.scalars(query.order_by(AnomalyRow.score)))
        session.expunge_all()
    return {(row.group_id, row.slot): row for row in rows}
