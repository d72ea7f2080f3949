"""A streaming replica for reading: used while it answers and is not far behind, left alone for a while when not."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from app import clock

log = logging.getLogger(__name__)

# How far behind it may be, how often that is looked at, and how long it is left alone when it failed.
MOST_BEHIND_S: Final = 5.0
LOOK_S: Final = 2.0
AWAY_S: Final = 10.0

_PRIMARY_AT = text("select case when pg_is_in_recovery() then null else pg_current_wal_lsn()::text end")
# Not behind: what the primary had written when it was asked is replayed. Else the age of what was last replayed.
# A server that is no standby (the primary under another name, a pooler before it) is never behind.
_BEHIND_S = text(
    "select case when not pg_is_in_recovery() or pg_last_wal_replay_lsn() >= cast(:lsn as pg_lsn) then 0"
    " else extract(epoch from clock_timestamp() - coalesce(pg_last_xact_replay_timestamp(), '-infinity')) end::float8"
)


class Replica:
    """The engine of a replica, and whether it is to be used at this moment."""

    def __init__(self, engine: Engine, primary: Engine) -> None:
        self.engine = engine
        self._primary = primary
        self._lock = Lock()
        self._look_at_s = float("-inf")
        self._is_good = False

    @contextmanager
    def connection(self) -> Iterator[Connection | None]:
        """One read-only transaction, or None when the primary should answer instead.

        An error of the connection while it is in use goes to the caller; the next one is asked of the primary.
        """
        connection = self._connect() if self._is_fit() else None
        if connection is None:
            yield None
            return
        with connection:
            try:
                with connection.begin():
                    yield connection
            except DBAPIError as error:
                if error.connection_invalidated:
                    self._leave_alone(error)
                raise

    def _is_fit(self) -> bool:
        with self._lock:
            now = clock.monotonic_s()
            if now < self._look_at_s:
                return self._is_good
            self._look_at_s = now + LOOK_S  # others go by the last answer meanwhile
        try:
            behind_s = self._behind_s()
        except DBAPIError as error:
            self._leave_alone(error)
            return False
        if behind_s > MOST_BEHIND_S and self._is_good:
            log.warning("the replica is too far behind; the primary answers", extra={"behind_s": round(behind_s)})
        self._is_good = behind_s <= MOST_BEHIND_S
        return self._is_good

    def _behind_s(self) -> float:
        with self._primary.connect() as connection:
            lsn = connection.scalar(_PRIMARY_AT)
        with self.engine.connect() as connection:
            return float(connection.scalar(_BEHIND_S, {"lsn": lsn or "0/0"}) or 0.0)

    def _connect(self) -> Connection | None:
        try:
            return self.engine.connect()
        except DBAPIError as error:
            self._leave_alone(error)
            return None

    def _leave_alone(self, error: DBAPIError) -> None:
        self._is_good = False
        self._look_at_s = clock.monotonic_s() + AWAY_S
        log.warning(
            "the replica does not answer; the primary does", extra={"reason": str(error.orig).partition("\n")[0]}
        )
