"""The anomaly ribbon of a chart: how unusual its series were in each stretch, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from sqlalchemy import Connection, select

from app.auth.permissions import require
from app.domain.anomaly.base import View
from app.domain.anomaly.changed import HIGHEST
from app.domain.anomaly.ribbon import Ribbon
from app.domain.anomaly.verdicts import multiplier
from app.domain.labels import METRIC, Labels, Matcher, labels_of
from app.domain.samples import Float64s
from app.domain.tenancy import READ, TenantId, Viewer
from app.domain.timerange import Window
from app.promql.parse import parse, selectors_in
from app.promql.vectors import without_name, without_names
from app.queries.feedback import steps_of
from app.tsdb import scores
from app.tsdb.blocks import moment
from app.tsdb.places import Place, groups_of
from app.tsdb.selection import Group, select_series
from models.anomalies import AnomalyRow
from models.session import tenant_connection, tenant_session

NOUN: Final = "anomalies"
STRETCHES: Final = 180
# A score comes at most this often.
LEAST_MS: Final = 60_000
# More than this is not read for a strip of colour: of longer times and of more series only the anomalies show.
MOST_ROWS: Final = 100_000
MOST_ANOMALIES: Final = 2_000
_NAMING: Final = ("device", "ifName", "cpu", "pool", "storage", "sensor")


def ribbon_of(viewer: Viewer, expr: str, window: Window, *, drawn: Sequence[Labels] = ()) -> Ribbon | None:
    """The ribbon of the series that a PromQL expression reads, or of those among them that are drawn.

    A line that no single series stands behind, such as a sum, is no reason to leave any out. Raises QueryError.
    """
    return ribbon(viewer, [selector.matchers for selector in selectors_in(parse(expr))], window, drawn=drawn)


def ribbon(
    viewer: Viewer, matcher_sets: Sequence[Sequence[Matcher]], window: Window, *, drawn: Sequence[Labels] = ()
) -> Ribbon | None:
    """The ribbon of the series that satisfy any of the sets; None where none was scored or found unusual."""
    require(viewer, READ, NOUN)
    length_ms = max(LEAST_MS, -(-window.length_ms // STRETCHES))
    start_ms = window.start_ms // length_ms * length_ms
    count = -(-(window.end_ms - start_ms) // length_ms)
    with tenant_connection(viewer.tenant, read_only=True) as connection:
        groups = _drawn(_groups(connection, viewer.tenant, matcher_sets), drawn)
        if not groups:
            return None
        if len(groups) * window.length_ms // LEAST_MS <= MOST_ROWS:
            octets, whose = scores.highest(
                connection, viewer.tenant, groups, start_ms=start_ms, length_ms=length_ms, count=count
            )
        else:
            octets, whose = np.zeros(count, dtype=np.uint8), [None] * count
    values: Float64s = np.where(octets > 0, (octets.astype(np.float64) - 1) / scores.STEPS_PER_UNIT, np.nan)
    starts = start_ms + np.arange(count, dtype=np.int64) * length_ms
    found = Ribbon(
        starts,
        length_ms,
        values,
        [_name(labels) for labels in whose],
        [""] * count,
        _boundary(viewer),
        series=sum(len(group.slots) for group in groups),
        counts=[0] * count,
    )
    _explain(found, whose, _anomalies(viewer.tenant, groups, Window(start_ms, start_ms + count * length_ms)))
    return found if np.isfinite(found.scores).any() else None


def _groups(connection: Connection, tenant: TenantId, matcher_sets: Sequence[Sequence[Matcher]]) -> list[Group]:
    selected = [group for matchers in matcher_sets for group in select_series(connection, tenant, matchers)]
    if len(matcher_sets) == 1:
        return selected
    pairs = ((group.group_id, zip(group.slots.tolist(), group.labels, strict=True)) for group in selected)
    return groups_of({(group_id, slot): labels for group_id, its in pairs for slot, labels in its})


def _drawn(groups: Sequence[Group], lines: Sequence[Labels]) -> list[Group]:
    """The series that a line each stands for; all of them when some line stands for no single one."""
    wanted = set(without_names(lines))
    kept, found = [], set()
    for group in groups:
        places = [place for place, labels in enumerate(group.labels) if without_name(labels) in wanted]
        if places:
            labels = tuple(group.labels[place] for place in places)
            kept.append(Group(group.group_id, group.slots[places], labels))
            found.update(without_names(labels))
    return kept if wanted and found == wanted else list(groups)


def _boundary(viewer: Viewer) -> float:
    with tenant_session(viewer.tenant) as session:
        return multiplier(steps_of(session, viewer.tenant))


def _explain(ribbon: Ribbon, whose: Sequence[Labels | None], anomalies: Sequence[AnomalyRow]) -> None:
    """Write into the ribbon why, of how many, and the peaks of anomalies whose scores are no longer kept."""
    count = len(ribbon.scores)
    unusual: list[set[Place]] = [set() for _ in range(count)]
    for row in anomalies:
        labels, sentence = labels_of(row.labels), View(row.view).sentence
        first, peak, last = (
            int(at.timestamp() * 1000 - ribbon.starts_ms[0]) // ribbon.width_ms
            for at in (row.started_at, row.peak_at, row.last_at)
        )
        for stretch in range(max(first, 0), min(last, count - 1) + 1):
            unusual[stretch].add((row.group_id, row.slot))
            if whose[stretch] == labels:
                ribbon.whys[stretch] = sentence
        # A stored score is up to a step below what was found.
        if 0 <= peak < count and not ribbon.scores[peak] >= row.score - 1 / scores.STEPS_PER_UNIT:
            ribbon.scores[peak] = min(row.score, HIGHEST)
            ribbon.names[peak], ribbon.whys[peak] = _name(labels), sentence
    ribbon.counts[:] = [len(places) for places in unusual]


def _anomalies(tenant: TenantId, groups: Sequence[Group], window: Window) -> list[AnomalyRow]:
    """The anomalies of these series in the window, the least unusual first."""
    wanted = {(group.group_id, int(slot)) for group in groups for slot in group.slots}
    # Uses anomalies_recent_idx.
    query = select(AnomalyRow).where(
        AnomalyRow.tenant_id == tenant,
        AnomalyRow.started_at <= moment(window.end_ms),
        AnomalyRow.started_at >= moment(window.start_ms),
        AnomalyRow.group_id.in_(sorted({group_id for group_id, _ in wanted})),
    )
    with tenant_session(tenant) as session:
        rows = list(session.scalars(query.order_by(AnomalyRow.score.desc()).limit(MOST_ANOMALIES)))
        session.expunge_all()
    return [row for row in reversed(rows) if (row.group_id, row.slot) in wanted]


def _name(labels: Labels | None) -> str:
    its = dict(labels or ())
    return " ".join(its[name] for name in _NAMING if name in its) or its.get(METRIC, "")
