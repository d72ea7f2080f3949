"""Which metrics and labels the tenant's series come from, and how they grow."""

from __future__ import annotations

from typing import Final

from app.auth.permissions import require
from app.clock import utc_now
from app.domain.tenancy import READ, Viewer
from app.tsdb import cardinality as store
from app.tsdb.cardinality import Cardinality

MOST: Final = 1000


def cardinality(viewer: Viewer, *, limit: int = 20) -> Cardinality:
    """Series by metric and by label, at most `limit` of each, the greatest first."""
    require(viewer, READ, "cardinality")
    return store.cardinality(viewer.tenant, utc_now(), limit=min(max(limit, 1), MOST))
