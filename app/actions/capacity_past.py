"""What capacity planning said before, and what came: kept so that chances can be compared with the world.

A tenant that begins with history has said nothing yet: for a sample of its things it is asked what it would have said
on past days, from nothing but the days before. Those sayings are marked.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.domain.forecast.capacity import LEAST_DAYS, WEEK, Outlook, filled_after, weekly_medians
from app.domain.forecast.capacity_plan import HORIZONS, LEAST_COMPARED, outlooks_of, seed_of
from app.domain.samples import Float64s
from app.domain.tenancy import TenantId
from models.capacity import CapacityItemRow, CapacityPredictionRow
from models.session import tenant_session

SAID_EACH_DAYS: Final = 7
# Things of a sample, how far apart the days are as of which they are asked, and how far back.
BACKTESTED: Final = 600
BACKTEST_EACH_DAYS: Final = 30
BACKTEST_DAYS: Final = 330
BACKTEST_PATHS: Final = 200
LEVEL_DAYS: Final = 30
KEPT_DAYS: Final = 800
_AT_ONCE: Final = 100

# What is full already is no prediction.
_SAY = text("""
insert into capacity_predictions
    (tenant_id, item_id, said_on, is_backtest, threshold, now, in30, p30, p90, p180, d10, d50, d90)
select tenant_id, id, last_day, false, threshold, now, now + per_week * :level_days / :week,
    p30, p90, p180, d10, d50, d90
from capacity_items where tenant_id = :tenant and last_day = :day and p30 is not null and (d50 is null or d50 > 0)
    and not exists (select from capacity_predictions p where p.tenant_id = :tenant and p.item_id = capacity_items.id
                    and not p.is_backtest and p.said_on > :recent and p.said_on < :day)
on conflict (tenant_id, item_id, said_on) do update set is_backtest = false, threshold = excluded.threshold,
    now = excluded.now, in30 = excluded.in30, p30 = excluded.p30, p90 = excluded.p90, p180 = excluded.p180,
    d10 = excluded.d10, d50 = excluded.d50, d90 = excluded.d90
""")
# A sample that is the same in every run and has nothing to do with what its things are.
_SAMPLE = text(
    "select id from capacity_items where tenant_id = :tenant and days >= :least order by hashint8(id), id limit :most"
)
_OPEN = text("""
select distinct item_id from capacity_predictions
where tenant_id = :tenant and (came30 is null or (full_after is null and known_days < :longest)) order by 1
""")
_ERRORS = text("""
update capacity_items i set error = e.error, naive_error = e.naive
from (select item_id, avg(abs(in30 - came30)) as error, avg(abs(now - came30)) as naive from capacity_predictions
      where tenant_id = :tenant and came30 is not null group by item_id having count(*) >= :least) e
where i.tenant_id = :tenant and i.id = e.item_id
""")
_FORGET = text("delete from capacity_predictions where tenant_id = :tenant and said_on < :before")


def say(tenant: TenantId, day: date) -> None:
    """Keep what is said of everything as of `day`, once in a week."""
    parameters = {
        "tenant": tenant,
        "day": day,
        "recent": day - timedelta(days=SAID_EACH_DAYS),
        "level_days": LEVEL_DAYS,
        "week": WEEK,
    }
    with tenant_session(tenant) as session:
        session.execute(_SAY, parameters)
        session.execute(_FORGET, {"tenant": tenant, "before": day - timedelta(days=KEPT_DAYS)})


def backtest(tenant: TenantId) -> int:
    """Say of a sample of things what would have been said on past days; answers how many sayings."""
    with tenant_session(tenant) as session:
        wanted = {"tenant": tenant, "least": LEAST_DAYS + BACKTEST_EACH_DAYS, "most": BACKTESTED}
        ids = list(session.scalars(_SAMPLE, wanted))
    said = 0
    for first in range(0, len(ids), _AT_ONCE):
        with tenant_session(tenant) as session:
            said += _backtest_some(session, tenant, ids[first : first + _AT_ONCE])
    return said


def compare(tenant: TenantId) -> None:
    """Write beside what was said what came, as far as it is known by now."""
    with tenant_session(tenant) as session:
        ids = list(session.scalars(_OPEN, {"tenant": tenant, "longest": HORIZONS[-1]}))
    for first in range(0, len(ids), _AT_ONCE):
        with tenant_session(tenant) as session:
            _compare_some(session, tenant, ids[first : first + _AT_ONCE])
    with tenant_session(tenant) as session:
        session.execute(_ERRORS, {"tenant": tenant, "least": LEAST_COMPARED})


def _backtest_some(session: Session, tenant: TenantId, ids: Sequence[int]) -> int:
    items = _items(session, tenant, ids)
    rows: list[dict[str, Any]] = []
    for back in range(BACKTEST_EACH_DAYS, BACKTEST_DAYS + 1, BACKTEST_EACH_DAYS):
        # Those of one length are asked together.
        alike: dict[int, list[tuple[CapacityItemRow, Float64s]]] = {}
        for row, daily in items:
            if len(daily) - back >= LEAST_DAYS and not weekly_medians(daily[None])[0, -1 - back] >= row.threshold:
                alike.setdefault(len(daily), []).append((row, daily[:-back]))
        for asked in alike.values():
            rows += _said(tenant, asked, back)
    if rows:
        statement = insert(CapacityPredictionRow).values(rows)
        news = {name: statement.excluded[name] for name in rows[0] if name not in ("tenant_id", "item_id", "said_on")}
        session.execute(
            statement.on_conflict_do_update(
                index_elements=["tenant_id", "item_id", "said_on"],
                set_=news,
                where=CapacityPredictionRow.is_backtest.is_(True),
            )
        )
    return len(rows)


def _said(tenant: TenantId, asked: Sequence[tuple[CapacityItemRow, Float64s]], back: int) -> list[dict[str, Any]]:
    """What would have been said `back` days ago of items whose days until then are given."""
    outlooks = outlooks_of(
        np.stack([daily for _, daily in asked]),
        [row.threshold for row, _ in asked],
        [seed_of(row.kind, row.device_name, row.object) for row, _ in asked],
        paths=BACKTEST_PATHS,
    )
    return [
        _row(tenant, row, row.last_day - timedelta(days=back), outlook)
        for (row, _), outlook in zip(asked, outlooks, strict=True)
        if outlook is not None
    ]


def _row(tenant: TenantId, item: CapacityItemRow, said_on: date, outlook: Outlook) -> dict[str, Any]:
    names = ("now", "p30", "p90", "p180", "d10", "d50", "d90")
    return {
        "tenant_id": tenant,
        "item_id": item.id,
        "said_on": said_on,
        "is_backtest": True,
        "threshold": item.threshold,
        "in30": outlook.now + outlook.per_week * LEVEL_DAYS / WEEK,
        **{name: getattr(outlook, name) for name in names},
    }


def _compare_some(session: Session, tenant: TenantId, ids: Sequence[int]) -> None:
    weekly = {row.id: (row.last_day, weekly_medians(daily[None])[0]) for row, daily in _items(session, tenant, ids)}
    query = select(CapacityPredictionRow).where(
        CapacityPredictionRow.tenant_id == tenant, CapacityPredictionRow.item_id.in_(ids)
    )
    for said in session.scalars(query):
        last_day, medians = weekly[said.item_id]
        known = (last_day - said.said_on).days
        since = len(medians) - 1 - known
        if known <= 0 or since < 0:
            continue
        said.known_days = known
        said.full_after = filled_after(medians, since, said.threshold)
        if known >= LEVEL_DAYS:
            level = float(medians[since + LEVEL_DAYS])
            said.came30 = level if np.isfinite(level) else None


def _items(session: Session, tenant: TenantId, ids: Sequence[int]) -> list[tuple[CapacityItemRow, Float64s]]:
    query = select(CapacityItemRow).where(CapacityItemRow.tenant_id == tenant, CapacityItemRow.id.in_(ids))
    return [(row, np.frombuffer(row.daily, dtype="<f4").astype(np.float64)) for row in session.scalars(query)]
