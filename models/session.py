"""Connections and sessions: one pool for each database role, and the tenant of every transaction.

`open_database()` is called once by the main of a process. Nothing else connects.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.orm import Session

from app.domain.tenancy import TenantId
from models.bounds import current_bounds
from models.replica import Replica

# role name -> its login in Postgres; made by migrations/roles.py.
ROLES: Mapping[str, str] = {
    "web": "watchfloor_web",
    "worker": "watchfloor_worker",
    "writer": "watchfloor_writer",
    "platform": "watchfloor_platform",
}


@dataclass
class Database:
    """The engines of this process by role; `role` (web or worker) serves tenant sessions. Reads may have a replica."""

    role: str
    engines: dict[str, Engine]
    replica: Replica | None = None

    @contextmanager
    def session(self, role: str) -> Iterator[Session]:
        """One transaction of `role`; commits at the end, rolls back on an error."""
        with Session(self.engines[role], expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def connection(self, role: str) -> Iterator[Connection]:
        """The same without the object mapper, for COPY and bulk reads."""
        with self.engines[role].begin() as connection:
            yield connection

    @contextmanager
    def reading_connection(self) -> Iterator[Connection]:
        """One transaction that only reads: of the replica when there is one that can be used."""
        if self.replica is None:
            with self.connection(self.role) as connection:
                yield connection
            return
        with self.replica.connection() as found:
            if found is not None:
                yield found
                return
        with self.connection(self.role) as connection:
            yield connection

    def close(self) -> None:
        """Close every pool."""
        for engine in self.engines.values():
            engine.dispose()
        if self.replica is not None:
            self.replica.engine.dispose()


_database: Database | None = None
_generation = 0


def role_password(role: str, secret_key: str) -> str:
    """The password of a database role, derived from the installation's secret key."""
    return hmac.new(secret_key.encode(), f"database role {role}".encode(), hashlib.sha256).hexdigest()


def role_url(owner_url: str, role: str, secret_key: str) -> URL:
    """The owner's URL with the login of `role` (web, worker, writer or platform)."""
    login = ROLES[role]
    url = make_url(owner_url).set(drivername="postgresql+psycopg")
    return url.set(username=login, password=role_password(role, secret_key))


def open_database(
    owner_url: str, *, role: str, secret_key: str, pool_size: int = 8, read_url: str | None = None
) -> Database:
    """Make the pools of this process; connections are opened when first used. `read_url` is that of a replica."""
    engines = {
        name: _engine(role_url(owner_url, name, secret_key), pool_size if name == role else 2)
        for name in (role, "writer", "platform")
    }
    replica = None
    if read_url:
        # What only reads can write nowhere, whatever server stands behind the address.
        engine = _engine(role_url(read_url, role, secret_key), pool_size, "-c default_transaction_read_only=on")
        replica = Replica(engine, engines[role])
    return use_database(Database(role, engines, replica))


def use_database(database: Database) -> Database:
    """Make `database` the one that sessions use; tests pass engines bound to one transaction."""
    global _database, _generation  # noqa: PLW0603  the process has one database; this is where it is kept
    _database = database
    _generation += 1
    return database


def generation() -> int:
    """Changes when this process opens another database: what was cached from the one before is void."""
    return _generation


def close_database() -> None:
    """Close every pool; for the end of a process and after a fork."""
    if _database is not None:
        _database.close()


@contextmanager
def tenant_session(tenant: TenantId) -> Iterator[Session]:
    """One transaction on one tenant's rows; commits at the end, rolls back on an error."""
    database = _require()
    with database.session(database.role) as session:
        _set_local(session.connection(), tenant)
        yield session


@contextmanager
def tenant_connection(tenant: TenantId, *, read_only: bool = False) -> Iterator[Connection]:
    """tenant_session() without the object mapper: for COPY and for bulk reads of samples.

    `read_only` is for what may be some seconds old, as samples may: a replica answers when there is one.
    """
    database = _require()
    with database.reading_connection() if read_only else database.connection(database.role) as connection:
        bounds = current_bounds()
        if bounds is None:
            _set_local(connection, tenant)
            yield connection
            return
        _set_local(connection, tenant, timeout_ms=bounds.timeout_ms())
        with bounds.holding(connection.connection.driver_connection):
            yield connection


@contextmanager
def platform_session() -> Iterator[Session]:
    """One transaction across tenants: sign-in, the list of tenants, usage, the audit chain."""
    with _require().session("platform") as session:
        yield session


@contextmanager
def writer_connection() -> Iterator[Connection]:
    """One transaction of the sample writer, which may insert samples of every tenant and no more."""
    with _require().connection("writer") as connection:
        yield connection


def _set_local(connection: Connection, tenant: TenantId, *, timeout_ms: int | None = None) -> None:
    """For the rest of the transaction. As commands and not by set_config(), which Citus does not pass on."""
    commands = [f"set local app.tenant = '{int(tenant)}'"]
    if timeout_ms is not None:
        commands.append(f"set local statement_timeout = {int(timeout_ms)}")
    connection.exec_driver_sql("; ".join(commands))


# For what is read here the server takes longer to start more processes, and to collect their rows, than one needs
# alone; and one query does not take all cores.
_OPTIONS = "-c timezone=UTC -c max_parallel_workers_per_gather=0"


def _engine(url: URL, pool_size: int, options: str = "") -> Engine:
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=max(4, pool_size),
        pool_pre_ping=True,
        connect_args={"connect_timeout": 5, "options": f"{_OPTIONS} {options}".strip()},
    )


def _require() -> Database:
    assert _database is not None, "open_database() was not called"
    return _database
