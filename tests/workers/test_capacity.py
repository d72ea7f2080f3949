"""The job of capacity planning: one worker at a time, and not while history still comes in."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from app import clock
from models.capacity import CapacityRunRow
from models.session import tenant_session
from tests.factories.capacity import DAYS, PORT
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase
from tests.factories.rolled_history import growing, store_hours, use_of
from workers.capacity import capacity
from workers.one_at_a_time import turn


def store(cast: Cast, port: str) -> None:
    first_day = clock.now_ms() // 86_400_000 - DAYS
    rows = use_of("link", PORT | {"ifName": port}, growing(40.0, 0.1, DAYS), size=1e9)
    store_hours(cast.acme, [*rows], first_day=first_day)


def items(cast: Cast) -> int | None:
    with tenant_session(cast.acme) as session:
        return session.scalar(select(CapacityRunRow.items))


@pytest.mark.usefixtures("valkey")
def test_it_waits_until_no_more_history_comes_in(cast: Cast, db: RolledBackDatabase) -> None:
    db.role = "worker"
    store(cast, "xe-0")
    capacity(tenant=cast.acme)
    assert items(cast) is None
    capacity(tenant=cast.acme)
    assert items(cast) == 1


@pytest.mark.usefixtures("valkey")
def test_one_worker_at_a_time(cast: Cast, db: RolledBackDatabase) -> None:
    db.role = "worker"
    store(cast, "xe-0")
    with turn(f"capacity:{cast.acme}", longest_s=60):
        capacity(tenant=cast.acme)
        capacity(tenant=cast.acme)
    assert items(cast) is None
    capacity(tenant=cast.acme)
    capacity(tenant=cast.acme)
    assert items(cast) == 1
