"""Reading samples back, for one tenant: series by matchers, and what is known of labels and metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, text

from app.clock import now_ms
from app.domain.labels import METRIC, Labels, Matcher, value_of
from app.domain.samples import Metadata
from app.domain.tenancy import TenantId
from app.promql.rollups import RollupBlock
from app.promql.select import SeriesBlock
from app.tsdb import derived, raw, rolled
from app.tsdb.blocks import moment
from app.tsdb.selection import select_series
from models.session import tenant_connection

# Made by migration 0021. A sample in any tier counts; of years ago only the longest has one.
_ALIVE_AMONG = text("select watchfloor_groups_with_samples(:tenant, cast(:groups as int[]), :start, :end)")
_ALIVE_GROUPS: Final = (
    "(select watchfloor_groups_with_samples(:tenant, array(select id from series_groups where tenant_id = :tenant),"
    " :start, :end))"
)
_NAMES = text(
    "select distinct jsonb_object_keys(labels) as text from series"  # noqa: S608  constants
    f" where tenant_id = :tenant and group_id in {_ALIVE_GROUPS} order by 1"
)
_VALUES = text(
    "select distinct labels ->> :name from series"  # noqa: S608  constants
    f" where tenant_id = :tenant and labels ->> :name is not null and group_id in {_ALIVE_GROUPS} order by 1"
)
_METADATA = text(
    "select metric, kind, help, unit from metric_metadata"
    " where tenant_id = :tenant and (:metric = '' or metric = :metric) order by metric"
)


class Reader:
    """The samples of one tenant; a SeriesSource for the PromQL engine."""

    def __init__(self, tenant: TenantId) -> None:
        self.tenant = tenant

    def select(self, matchers: Sequence[Matcher], *, start_ms: int, end_ms: int) -> list[SeriesBlock]:
        """The series that satisfy all matchers, with their samples at start_ms <= ts <= end_ms."""
        with tenant_connection(self.tenant, read_only=True) as connection:
            if derived.name_in(matchers):
                return derived.select(connection, self.tenant, matchers, start_ms=start_ms, end_ms=end_ms)
            groups = select_series(connection, self.tenant, matchers)
            found = raw.fetch(connection, self.tenant, groups, start_ms=start_ms, end_ms=end_ms) if groups else {}
            coarse: list[SeriesBlock] = []
            if groups and start_ms < now_ms() - rolled.LEAST_MS:
                coarse = rolled.instead_of_samples(
                    connection, self.tenant, groups, found, start_ms=start_ms, end_ms=end_ms
                )
        return coarse + raw.blocks_of_all(groups, found, start_ms=start_ms, end_ms=end_ms)

    def select_rollups(
        self, matchers: Sequence[Matcher], *, start_ms: int, end_ms: int, unit_ms: int, stats: Sequence[str]
    ) -> list[RollupBlock] | None:
        """The buckets in (start, end] of the coarsest tier that is exact; None where samples answer as well.

        Every edge of a window is a multiple of `unit_ms`; `stats` are those of app.promql.rollups.STATS that count.
        """
        tier = rolled.tier_for(unit_ms)
        is_short = end_ms - start_ms < rolled.LEAST_MS
        if tier is None or derived.name_in(matchers) or (is_short and start_ms > now_ms() - rolled.LEAST_MS):
            return None
        with tenant_connection(self.tenant, read_only=True) as connection:
            groups = select_series(connection, self.tenant, matchers)
            if not groups:
                return []
            return rolled.select(
                connection, self.tenant, groups, tier=tier, start_ms=start_ms, end_ms=end_ms, stats=stats
            )

    def series(self, matcher_sets: Sequence[Sequence[Matcher]], *, start_ms: int, end_ms: int) -> list[Labels]:
        """The series of any of the sets whose group has samples in the range, ascending."""
        found: set[Labels] = set()
        with tenant_connection(self.tenant, read_only=True) as connection:
            for matchers in matcher_sets:
                if derived.name_in(matchers):
                    for block in derived.select(connection, self.tenant, matchers, start_ms=start_ms, end_ms=end_ms):
                        found.update(block.labels)
                    continue
                groups = select_series(connection, self.tenant, matchers)
                alive = self._alive(connection, [group.group_id for group in groups], start_ms, end_ms)
                for group in groups:
                    if group.group_id in alive:
                        found.update(group.labels)
        return sorted(found)

    def label_names(self, matcher_sets: Sequence[Sequence[Matcher]], *, start_ms: int, end_ms: int) -> list[str]:
        """The names of all labels of the series that series() would answer; without sets, of all series."""
        if matcher_sets:
            series = self.series(matcher_sets, start_ms=start_ms, end_ms=end_ms)
            return sorted({name for labels in series for name, _ in labels})
        with tenant_connection(self.tenant, read_only=True) as connection:
            return list(connection.scalars(_NAMES, self._range(start_ms, end_ms)))

    def label_values(
        self, name: str, matcher_sets: Sequence[Sequence[Matcher]], *, start_ms: int, end_ms: int
    ) -> list[str]:
        """The values of one label, of the same series."""
        if matcher_sets:
            series = self.series(matcher_sets, start_ms=start_ms, end_ms=end_ms)
            return sorted({value for labels in series if (value := value_of(labels, name))})
        with tenant_connection(self.tenant, read_only=True) as connection:
            values = list(connection.scalars(_VALUES, {"name": name, **self._range(start_ms, end_ms)}))
            more = derived.metric_names(connection, self.tenant) if name == METRIC else []
            return sorted({*values, *more}) if more else values

    def metadata(self, metric: str = "") -> list[Metadata]:
        """What senders said about one metric, or about all."""
        with tenant_connection(self.tenant, read_only=True) as connection:
            rows = connection.execute(_METADATA, {"tenant": self.tenant, "metric": metric})
            return [Metadata(row.metric, row.kind, row.help, row.unit) for row in rows]

    def _alive(self, connection: Connection, groups: list[int], start_ms: int, end_ms: int) -> set[int]:
        return set(connection.scalars(_ALIVE_AMONG, {"groups": groups, **self._range(start_ms, end_ms)}))

    def _range(self, start_ms: int, end_ms: int) -> dict[str, Any]:
        return {"tenant": self.tenant, "start": moment(start_ms), "end": moment(end_ms)}
