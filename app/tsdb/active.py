"""Which series get samples: a bit for each slot of a group and each hour, written in the transaction of the samples.

A process writes a bit once an hour: what it has written it knows, and looks nothing up. The hour is that in which
samples are stored, whatever their times say.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from app import clock
from app.domain.samples import Int64s
from app.domain.tenancy import TenantId
from models.session import generation, tenant_connection

# What counts: this hour and those before it, so the last two to three hours. The function of the database says so, too.
HOURS: Final = 3
_HOUR_MS: Final = 3_600_000
_SLOTS: Final = 240

# In the order of the primary key, as registration writes them: two that wait for each other would be a deadlock.
_NOTE = text(
    "insert into series_active as a (tenant_id, hour, group_id, slots)"
    " select n.tenant_id, :hour, n.group_id, n.slots::bit(240) from unnest(cast(:tenants as int[]),"
    " cast(:groups as int[]), cast(:slots as text[])) as n(tenant_id, group_id, slots) order by 1, 2, 3"
    " on conflict (tenant_id, hour, group_id) do update set slots = a.slots | excluded.slots"
)
_COUNT = text("select watchfloor_active_series(:tenant)")
_DROP = text("delete from series_active where tenant_id = :tenant and hour <= :before")


@dataclass(frozen=True)
class Fresh:
    """Places (n,) that got their first sample of the hour, as far as this process knows."""

    generation: int
    hour: int  # since 1970
    places: Int64s


class _Noted:
    """What this process has written in one hour: a row of bits for each group that it met."""

    def __init__(self, of_generation: int, hour: int) -> None:
        self.of_generation, self.hour = of_generation, hour
        self._row_of = np.full(1, -1, dtype=np.int32)
        self._bits = np.zeros((0, 256), dtype=bool)

    def has(self, places: Int64s) -> NDArray[np.bool_]:
        """Which places are written; (n,)."""
        groups = places >> 8
        rows = self._row_of.take(groups, mode="clip")  # the last entry is nobody's
        known = np.flatnonzero(rows >= 0)
        found = np.zeros(len(places), dtype=bool)
        found[known] = self._bits[rows[known], places[known] & 0xFF]
        return found

    def add(self, places: Int64s) -> None:
        """Know these as written."""
        groups = np.unique(places >> 8)
        if (grown := int(groups[-1]) + 2) > len(self._row_of):
            more = np.full(max(grown, 2 * len(self._row_of)) - len(self._row_of), -1, dtype=np.int32)
            self._row_of = np.concatenate([self._row_of, more])
        new = groups[self._row_of[groups] < 0]
        self._row_of[new] = np.arange(len(self._bits), len(self._bits) + len(new))
        self._bits = np.concatenate([self._bits, np.zeros((len(new), 256), dtype=bool)])
        self._bits[self._row_of[places >> 8], places & 0xFF] = True


_noted = _Noted(-1, -1)
_lock = Lock()


def note(connection: Connection, tenants: NDArray[np.int32], places: Int64s) -> Fresh:
    """Write which series these samples are of; both (n,). What this process wrote before in this hour is left out.

    remember() what is answered once the transaction is committed.
    """
    hour = clock.now_ms() // _HOUR_MS
    with _lock:
        noted = _of_hour(generation(), hour)
        new = np.flatnonzero(~noted.has(places))
    fresh, firsts = np.unique(places[new], return_index=True)
    if len(fresh):
        groups, begins = np.unique(fresh >> 8, return_index=True)
        bits = np.full((len(groups), _SLOTS), ord("0"), dtype=np.uint8)
        bits[np.searchsorted(groups, fresh >> 8), fresh & 0xFF] = ord("1")
        parameters = {
            "hour": datetime.fromtimestamp(hour * 3600, UTC),
            "tenants": tenants[new][firsts][begins].tolist(),
            "groups": groups.tolist(),
            "slots": [row.tobytes().decode() for row in bits],
        }
        connection.execute(_NOTE, parameters)
    return Fresh(generation(), hour, fresh)


def remember(fresh: Fresh) -> None:
    """What note() wrote is committed, and need not be written again."""
    if len(fresh.places):
        with _lock:
            _of_hour(fresh.generation, fresh.hour).add(fresh.places)


def count(tenant: TenantId) -> int:
    """How many series of a tenant got a sample in the last two to three hours, or were registered then."""
    with tenant_connection(tenant) as connection:
        return int(connection.scalar(_COUNT, {"tenant": tenant}) or 0)


def drop_old(tenant: TenantId, now: datetime) -> None:
    """Drop the bits of hours that do not count any more."""
    with tenant_connection(tenant) as connection:
        connection.execute(_DROP, {"tenant": tenant, "before": now - timedelta(hours=HOURS)})


def _of_hour(of_generation: int, hour: int) -> _Noted:
    global _noted  # noqa: PLW0603  one for the process, and only of the newest hour
    if (_noted.of_generation, _noted.hour) != (of_generation, hour):
        _noted = _Noted(of_generation, hour)
    return _noted
