"""The exemplars of the series that a PromQL expression reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from app.auth.permissions import require
from app.domain.exemplars import Exemplar
from app.domain.labels import Labels
from app.domain.tenancy import READ, Viewer
from app.promql.nodes import Selector
from app.promql.parse import parse
from app.tsdb import exemplars as store


def exemplars(viewer: Viewer, expr: str, *, start_ms: int, end_ms: int) -> dict[Labels, list[Exemplar]]:
    """Exemplars by series, oldest first, of [start_ms, end_ms]; raises QueryError for what is no expression."""
    require(viewer, READ, "metrics")
    found: dict[Labels, dict[Exemplar, None]] = {}
    for selector in _selectors(parse(expr)):
        for each in store.select(viewer.tenant, selector.matchers, start_ms=start_ms, end_ms=end_ms):
            found.setdefault(each.series, {})[each] = None
    return {series: list(found[series]) for series in sorted(found)}


def _selectors(node: object) -> Iterator[Selector]:
    """Every selector in a tree."""
    if isinstance(node, Selector):
        yield node
    elif isinstance(node, tuple):
        for each in node:
            yield from _selectors(each)
    elif is_dataclass(node):
        for field in fields(node):
            yield from _selectors(getattr(node, field.name))
