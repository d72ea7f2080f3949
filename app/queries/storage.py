"""What a tenant stores at which resolution, for how long, and its archive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from app.auth.permissions import require
from app.clock import utc_now
from app.domain.retention import Going, Held, Terms
from app.domain.tenancy import READ, Viewer
from app.errors import InvalidInput
from app.promql.engine import query_range
from app.promql.result import Matrix
from app.tsdb import archive, retention
from app.tsdb.archive import Archive, ArchiveTotal
from app.tsdb.archived import ArchiveSource

EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
FAR: Final = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Storage:
    """Terms in days by tier, and what is held of each."""

    days: Mapping[str, int]
    held: list[Held]


@dataclass(frozen=True)
class Change:
    """What other terms would take at the next run of retention; `days` are all terms after the change."""

    days: Mapping[str, int]
    going: list[Going]


def storage(viewer: Viewer) -> Storage:
    """Terms and figures of the viewer's tenant."""
    require(viewer, READ, "storage")
    return Storage(retention.terms_of(viewer.tenant).days(), retention.held(viewer.tenant, utc_now()))


def terms(viewer: Viewer) -> Terms:
    """The terms of the viewer's tenant."""
    require(viewer, READ, "storage")
    return retention.terms_of(viewer.tenant)


def preview(viewer: Viewer, days: Mapping[str, int]) -> Change:
    """What goes if these terms are saved; raises InvalidInput where they make no sense."""
    require(viewer, READ, "storage")
    wanted = retention.terms_of(viewer.tenant).changed(days)
    return Change(wanted.days(), retention.preview(viewer.tenant, wanted, utc_now()))


def archives(
    viewer: Viewer, *, start: datetime = EVER, end: datetime = FAR, after: datetime | None = None, limit: int = 100
) -> list[Archive]:
    """Archives that touch [start, end), the newest first, at most `limit` of those older than the one at `after`."""
    require(viewer, READ, "storage")
    # One that begins before `after` is older.
    return archive.archives(viewer.tenant, start=start, end=min(end, after) if after else end, limit=limit)


def archive_total(viewer: Viewer) -> ArchiveTotal:
    """How much is archived."""
    require(viewer, READ, "storage")
    return archive.total(viewer.tenant)


def archived_range(viewer: Viewer, expr: str, *, start: datetime, end: datetime, step: timedelta) -> Matrix:
    """The value of a PromQL expression over the archive, at start, start + step, …; raises QueryError."""
    require(viewer, READ, "storage")
    if step < timedelta(milliseconds=1):
        raise InvalidInput("step", "must be at least a millisecond")
    first, last = (int(moment.timestamp() * 1000) for moment in (start, end))
    step_ms = step // timedelta(milliseconds=1)
    return query_range(ArchiveSource(viewer.tenant), expr, start_ms=first, end_ms=last, step_ms=step_ms)
