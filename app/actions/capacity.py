"""Capacity planning: the nightly run of a tenant, and the thresholds that people set.

A run reads what was used on every complete day, says of each thing when it is full, and compares what was said before
with what came. It goes kind by kind and some things at a time, each in its own transaction: what a crash leaves out
the next run does.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import numpy as np
from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.actions import capacity_past
from app.actions.audit import record
from app.actions.capacity_alerts import raise_alerts
from app.auth.permissions import require
from app.clock import monotonic_s, utc_now
from app.domain.forecast.capacity import Outlook, missing_days
from app.domain.forecast.capacity_kinds import KINDS, Kind
from app.domain.forecast.capacity_plan import (
    IDLE_PERCENT,
    LEAST_THRESHOLD,
    MOST_THRESHOLD,
    outlooks_of,
    rank_of,
    seed_of,
)
from app.domain.forecast.daily_use import Float32s
from app.domain.samples import Float64s
from app.domain.tenancy import WRITE, TenantId, Viewer
from app.errors import InvalidInput, NotFound
from app.tsdb.daily_use import Thing, Use, daily_use
from app.valkey import valkey
from models.capacity import CapacityItemRow, CapacityRunRow
from models.session import tenant_session

log = logging.getLogger(__name__)

NOUN: Final = "capacity"
# How far back days are read and kept.
HISTORY_DAYS: Final = 400
# A day is complete this long after its end.
SETTLE: Final = timedelta(minutes=15)
ITEMS_AT_ONCE: Final = 250
# Days before the newest run that are read again, and the day of the week on which all are (0 = Monday).
AGAIN_DAYS: Final = 3
WHOLE_ON: Final = 6
# On the day of a run another one follows when history came in after it: this much more of it, and not sooner than this.
MORE_HISTORY: Final = 1.05
AGAIN_AFTER: Final = timedelta(minutes=5)

# Rows of history that the last look saw.
SEEN: Final = "capacity:seen:{tenant}"
SEEN_S: Final = 3600

EPOCH: Final = date(1970, 1, 1)
# Uses sample_rollups_bucket_idx.
_ROLLUPS = text("select count(*) from sample_rollups where tenant_id = :tenant and tier = 3600")


def last_complete_day(now: datetime) -> date:
    """The newest UTC day all of whose samples are there."""
    return (now - SETTLE).astimezone(UTC).date() - timedelta(days=1)


def is_due(tenant: TenantId, *, now: datetime) -> bool:
    """Whether there is a new day, or much more of the past than the newest run saw."""
    with tenant_session(tenant) as session:
        run = session.get(CapacityRunRow, tenant)
        if run is None or run.last_day < last_complete_day(now):
            return True
        # A run that saw nothing is no reason to wait.
        if run.items and now - run.ran_at < AGAIN_AFTER:
            return False
        return _rollups(session, tenant) > run.rollups * MORE_HISTORY


def waits_for_history(tenant: TenantId) -> bool:
    """Whether a run would see nothing or half: no hour is rolled up yet, or more came in since the last look."""
    with tenant_session(tenant) as session:
        count = _rollups(session, tenant)
    before = valkey().getset(SEEN.format(tenant=tenant), count)
    valkey().expire(SEEN.format(tenant=tenant), SEEN_S)
    return before != str(count).encode() or count == 0


def keep_up(tenant: TenantId, *, now: datetime) -> int | None:
    """A run if there is a new day or more history, then what was said against what came, then alerts.

    Answers of how many things something was said; None when nothing was to be done.
    """
    items = None
    if is_due(tenant, now=now):
        has_history = _has_new_history(tenant)
        items = run(tenant, now=now)
        capacity_past.say(tenant, last_complete_day(now))
        if has_history:
            capacity_past.backtest(tenant)
        capacity_past.compare(tenant)
    raise_alerts(tenant, now=now)
    return items


def run(tenant: TenantId, *, now: datetime) -> int:
    """Say of everything that can be full when it is; answers of how many things.

    Only the days since the newest run are read, and the past is taken from what is kept of it, save once in a week and
    when much of the past came in: then all days are read.
    """
    began_s = monotonic_s()
    last_day = last_complete_day(now)
    with tenant_session(tenant) as session:
        rollups = _rollups(session, tenant)
        before = session.get(CapacityRunRow, tenant)
        days = _days_to_read(before, last_day, rollups)
    items = idle = 0
    for kind in KINDS.values():
        use = daily_use(tenant, kind, end_day=(last_day - EPOCH).days + 1, days=days)
        if days < HISTORY_DAYS:
            with tenant_session(tenant) as session:
                use = _with_past(session, tenant, kind, use, last_day)
        busy = np.flatnonzero(_busiest(use.percent) >= IDLE_PERCENT)
        for first in range(0, len(busy), ITEMS_AT_ONCE):
            chosen = busy[first : first + ITEMS_AT_ONCE]
            with tenant_session(tenant) as session:
                _save(session, tenant, kind, use, chosen, last_day=last_day, now=now)
        items += len(busy)
        idle += len(use.things) - len(busy)
    with tenant_session(tenant) as session:
        _forget_unseen(session, tenant, last_day)
        session.merge(
            CapacityRunRow(
                tenant_id=tenant,
                ran_at=now,
                last_day=last_day,
                rollups=rollups,
                items=items,
                idle=idle,
                duration_s=monotonic_s() - began_s,
            )
        )
    return items


def set_threshold(viewer: Viewer, item_id: int, threshold: float | None) -> None:
    """Give a thing its own threshold (per cent of its size), or with None that of its kind, and say anew when."""
    require(viewer, WRITE, NOUN)
    if threshold is not None and not LEAST_THRESHOLD <= threshold <= MOST_THRESHOLD:
        raise InvalidInput("threshold", f"must be from {LEAST_THRESHOLD:g} to {MOST_THRESHOLD:g} per cent")
    with tenant_session(viewer.tenant) as session:
        query = select(CapacityItemRow).where(CapacityItemRow.tenant_id == viewer.tenant, CapacityItemRow.id == item_id)
        row = session.scalar(query.with_for_update())
        if row is None:
            raise NotFound(f"There is no capacity item {item_id}.")
        before = {"threshold": row.threshold, "is_own": row.is_own_threshold}
        row.threshold = KINDS[row.kind].threshold if threshold is None else threshold
        row.is_own_threshold = threshold is not None
        daily = np.frombuffer(row.daily, dtype="<f4").astype(np.float64)
        [outlook] = outlooks_of(daily[None], [row.threshold], [seed_of(row.kind, row.device_name, row.object)])
        for name, value in _said(outlook).items():
            setattr(row, name, value)
        row.computed_at = utc_now()
        after = {"threshold": row.threshold, "is_own": row.is_own_threshold}
        record(session, viewer, action="change", noun=NOUN, object_id=item_id, before=before, after=after)


def _has_new_history(tenant: TenantId) -> bool:
    """Whether the past is longer than the newest run saw: not by a new day alone."""
    with tenant_session(tenant) as session:
        run = session.get(CapacityRunRow, tenant)
        return run is None or _rollups(session, tenant) > run.rollups * MORE_HISTORY


def _days_to_read(before: CapacityRunRow | None, last_day: date, rollups: int) -> int:
    """All days, or those since the newest run and some before, of which more may have come in since."""
    if before is None or rollups > before.rollups * MORE_HISTORY or last_day.weekday() == WHOLE_ON:
        return HISTORY_DAYS
    return min((last_day - before.last_day).days + AGAIN_DAYS, HISTORY_DAYS)


def _with_past(session: Session, tenant: TenantId, kind: Kind, use: Use, last_day: date) -> Use:
    """The same things with the days before, as they are kept: in per cent of today's size."""
    whole = np.full((len(use.things), HISTORY_DAYS), np.nan, dtype=np.float32)
    kept = _known(session, tenant, kind, {thing.device for thing in use.things})
    for place, thing in enumerate(use.things):
        row = kept.get(thing)
        if row is not None:
            past = np.frombuffer(row.daily, dtype="<f4") * (row.size / use.sizes[place])
            end = HISTORY_DAYS - (last_day - row.last_day).days
            past = past[-end:] if end > 0 else past[:0]
            whole[place, end - len(past) : end] = past
    recent = use.percent.shape[1]
    whole[:, -recent:] = np.where(np.isfinite(use.percent), use.percent, whole[:, -recent:])
    return replace(use, percent=whole)


def _rollups(session: Session, tenant: TenantId) -> int:
    return session.scalar(_ROLLUPS, {"tenant": tenant}) or 0


def _busiest(percent: Float32s) -> Float32s:
    """The highest figure of each thing; -1 where there is none."""
    return np.asarray(np.where(np.isfinite(percent), percent, -1.0).max(axis=1, initial=-1.0))


def _save(
    session: Session, tenant: TenantId, kind: Kind, use: Use, chosen: Any, *, last_day: date, now: datetime
) -> None:
    """Write some things of a kind, with what is said of them; those whose days are as they were stay."""
    known = _known(session, tenant, kind, {use.things[place].device for place in chosen})
    counts = np.isfinite(use.percent).sum(axis=1)
    fresh = [place for place in chosen if not _is_as_it_was(known.get(use.things[place]), last_day, counts[place])]
    if not fresh:
        return
    things, daily = [use.things[place] for place in fresh], use.percent[fresh].astype(np.float64)
    thresholds = [known[thing].threshold if thing in known else kind.threshold for thing in things]
    said = outlooks_of(daily, thresholds, [seed_of(kind.name, *thing) for thing in things])
    rows = [
        {
            "tenant_id": tenant,
            "kind": kind.name,
            "device_name": thing.device,
            "object": thing.object,
            "labels": dict(use.labels[place]),
            "size": use.sizes[place],
            "threshold": threshold,
            "last_day": last_day,
            "daily": _packed(line),
            "days": int(counts[place]),
            "missing_days": missing_days(line),
            "computed_at": now,
            **_said(outlook),
        }
        for place, thing, threshold, line, outlook in zip(fresh, things, thresholds, daily, said, strict=True)
    ]
    statement = insert(CapacityItemRow).values(rows)
    # A threshold stays as it is: somebody may set it while this run reads.
    kept = {"tenant_id", "kind", "device_name", "object", "threshold"}
    news = {name: statement.excluded[name] for name in rows[0] if name not in kept}
    session.execute(
        statement.on_conflict_do_update(index_elements=["tenant_id", "kind", "device_name", "object"], set_=news)
    )


def _known(session: Session, tenant: TenantId, kind: Kind, devices: set[str]) -> dict[Thing, CapacityItemRow]:
    query = select(CapacityItemRow).where(
        CapacityItemRow.tenant_id == tenant,
        CapacityItemRow.kind == kind.name,
        CapacityItemRow.device_name.in_(sorted(devices)),
    )
    return {Thing(row.device_name, row.object): row for row in session.scalars(query)}


def _is_as_it_was(row: CapacityItemRow | None, last_day: date, days: int) -> bool:
    return row is not None and row.last_day == last_day and row.days == days


def _packed(line: Float64s) -> bytes:
    """The days from the first figure on."""
    known = np.flatnonzero(np.isfinite(line))
    return line[known[0] :].astype("<f4").tobytes() if len(known) else b""


def _said(outlook: Outlook | None) -> dict[str, Any]:
    """The columns that an outlook fills."""
    names = ("now", "per_week", "p30", "p90", "p180", "d10", "d50", "d90")
    columns: dict[str, Any] = {name: None if outlook is None else getattr(outlook, name) for name in names}
    chances = None if outlook is None else np.array(outlook.chances, dtype="<f4").tobytes()
    return columns | {"chances": chances, "rank": rank_of(outlook)}


def _forget_unseen(session: Session, tenant: TenantId, last_day: date) -> None:
    """What no run has seen for a month is no more."""
    query = delete(CapacityItemRow).where(
        CapacityItemRow.tenant_id == tenant, CapacityItemRow.last_day < last_day - timedelta(days=30)
    )
    session.execute(query)
