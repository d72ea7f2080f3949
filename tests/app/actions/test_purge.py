"""Resolved alerts go after a year, what was sent of them after 90 days; open ones and the other tenant's stay."""

from __future__ import annotations

from datetime import timedelta

from redis import Redis
from sqlalchemy import func, select

from app.actions import purge
from app.domain.tenancy import TenantId
from models.alerting import AlertEventRow, AlertRow, ChannelRow, DeliveryRow
from models.session import tenant_session
from tests.factories.alerting import NOON, Rounds, down
from tests.factories.cast import Cast

DAY = timedelta(days=1)


def counts(tenant: TenantId) -> tuple[int, int, int]:
    with tenant_session(tenant) as session:
        rows = (AlertRow, AlertEventRow, DeliveryRow)
        found = [session.scalar(select(func.count()).select_from(row).where(row.tenant_id == tenant)) for row in rows]
    return found[0] or 0, found[1] or 0, found[2] or 0


def raise_two(cast: Cast, tenant: TenantId) -> None:
    """One alert that is over at noon, one that fires on; both were sent."""
    with tenant_session(tenant) as session:
        session.add(ChannelRow(tenant_id=tenant, name="ops", kind="webhook", config={"url": "https://ops.example"}))
    rounds = Rounds(cast.alice if tenant == cast.acme else cast.charlie)
    rounds.round(down("r1"), down("r2"))
    rounds.round(down("r2"))


def test_what_is_long_over_goes_in_two_steps(cast: Cast, valkey: Redis) -> None:
    for tenant in (cast.acme, cast.globex):
        raise_two(cast, tenant)
    alerts, events, deliveries = counts(cast.globex)
    assert (alerts, deliveries) == (2, 3)
    assert purge.purge(cast.acme, now=NOON + 89 * DAY) == (0, 0)
    assert purge.purge(cast.acme, now=NOON + 91 * DAY) == (0, 2)
    assert counts(cast.acme) == (2, events, 1)
    assert purge.purge(cast.acme, now=NOON + 366 * DAY) == (1, 0)
    assert counts(cast.acme)[0] == 1
    assert counts(cast.acme)[2] == 1
    assert counts(cast.globex) == (alerts, events, deliveries)
