"""Things that fill up, or do not, with half a year of hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from app.actions import capacity
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase
from tests.factories.rolled_history import growing, store_hours, use_of

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
LAST_DAY = NOW.date() - timedelta(days=1)
DAYS = 100
FIRST = (LAST_DAY - capacity.EPOCH).days + 1 - DAYS
PORT = {"device": "core-1", "site": "LON1", "role": "core", "ifName": "xe-0"}
GIGABIT = 1e9
START = 69.0  # per cent; 85 % after 100 days


def store_network(cast: Cast, db: RolledBackDatabase) -> Cast:
    """Acme: a port that is full in about 30 days, one that stands still, an idle one, a disk with little history."""
    db.role = "worker"
    flat, idle = growing(40.0, 0.0, DAYS, seed=2), np.full(DAYS * 24, 0.01)
    rows = [
        *use_of("link", PORT, growing(START, 0.16, DAYS), size=GIGABIT),
        *use_of("link", PORT | {"ifName": "xe-1"}, flat, size=GIGABIT),
        *use_of("link", PORT | {"ifName": "xe-2"}, idle, size=GIGABIT),
        *use_of("disk", {"device": "core-1", "storage": "/var"}, growing(20, 0.1, 12), size=1e11),
    ]
    store_hours(cast.acme, rows, first_day=FIRST)
    return cast


def planned_network(cast: Cast, db: RolledBackDatabase) -> Cast:
    """The same after the nightly run, seen by the web."""
    store_network(cast, db)
    capacity.keep_up(cast.acme, now=NOW)
    db.role = "web"
    return cast
