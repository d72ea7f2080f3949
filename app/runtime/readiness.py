"""Whether this process can serve: database, Valkey and schema, asked at most twice a second."""

from __future__ import annotations

import threading

from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from app import clock
from app.runtime.schema import newest_revision
from app.valkey import valkey
from models.session import platform_session

KEPT_S = 0.5


class Readiness:
    """The last answer, kept for a moment: probes may come often and from many places."""

    def __init__(self) -> None:
        self.revision = newest_revision()
        self._lock = threading.Lock()
        self._asked_s = float("-inf")
        self._reasons: dict[str, str] = {}

    def reasons(self) -> dict[str, str]:
        """What is missing, by part (database, valkey, migrations); empty when this process can serve."""
        with self._lock:
            if clock.monotonic_s() - self._asked_s > KEPT_S:
                self._reasons = self._database() | _valkey()
                self._asked_s = clock.monotonic_s()
            return self._reasons

    def _database(self) -> dict[str, str]:
        try:
            with platform_session() as session:
                revision = session.scalar(text("select version_num from alembic_version"))
        except (DBAPIError, SQLAlchemyError):
            return {"database": "does not answer, or has no schema yet (python -m app migrate)"}
        if revision != self.revision:
            return {"migrations": f"the schema is {revision}, this version needs {self.revision}"}
        return {}


def _valkey() -> dict[str, str]:
    try:
        valkey().ping()
    except RedisError:
        return {"valkey": "does not answer"}
    return {}
