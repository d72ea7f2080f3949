"""The exemplars of the series that a PromQL expression reads."""

from __future__ import annotations

from app.auth.permissions import require
from app.domain.exemplars import Exemplar
from app.domain.labels import Labels
from app.domain.tenancy import READ, Viewer
from app.promql.parse import parse, selectors_in
from app.tsdb import exemplars as store


def exemplars(viewer: Viewer, expr: str, *, start_ms: int, end_ms: int) -> dict[Labels, list[Exemplar]]:
    """Exemplars by series, oldest first, of [start_ms, end_ms]; raises QueryError for what is no expression."""
    require(viewer, READ, "metrics")
    found: dict[Labels, dict[Exemplar, None]] = {}
    for selector in selectors_in(parse(expr)):
        for each in store.select(viewer.tenant, selector.matchers, start_ms=start_ms, end_ms=end_ms):
            found.setdefault(each.series, {})[each] = None
    return {series: list(found[series]) for series in sorted(found)}
