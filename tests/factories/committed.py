"""A database whose every commit is real, emptied after each test: for servers where a rollback cannot do.

Citus lets nobody write as one role and read as another in one transaction, and has no templates of databases.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, create_engine, text

from models.session import ROLES, Database, role_url
from tests.factories.servers import SECRET_KEY, Servers, copied_database, owner_engine

_IS_CITUS = text("select exists (select from pg_extension where extname = 'citus')")
_TABLES = text(
    "select c.relname from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')"
    " and not c.relispartition and c.relname <> 'alembic_version' order by 1"
)
_IS_USED = text("select exists (select from tenants)")
_PARTITIONS = text("select watchfloor_drop_partitions('infinity')")


def is_citus(url: str) -> bool:
    """Whether the database of this URL is itself a Citus coordinator."""
    engine = owner_engine(url)
    with engine.connect() as connection:
        found = bool(connection.scalar(_IS_CITUS))
    engine.dispose()
    return found


@dataclass(frozen=True)
class Emptied:
    """A migrated database, its tables, and the rows that its migrations put there."""

    url: str
    tables: Sequence[str]
    seeds: dict[str, Any]

    @contextmanager
    def used(self) -> Iterator[str]:
        """Answers the owner's URL; afterwards everything but the seeds goes, and numbers begin again."""
        try:
            yield self.url
        finally:
            engine = owner_engine(self.url)
            with engine.begin() as connection:
                self._empty(connection)
            engine.dispose()

    def _empty(self, connection: Connection) -> None:
        connection.execute(_PARTITIONS)
        connection.execute(text(f"truncate {', '.join(self.tables)} restart identity cascade"))
        for table, rows in self.seeds.items():
            statement = f"insert into {table} overriding system value"
            statement += f" select * from jsonb_populate_recordset(null::{table}, cast(:rows as jsonb))"
            connection.execute(text(statement), {"rows": rows})


def emptied(url: str) -> Emptied:
    """The database of this URL, which is migrated and nobody uses; raises ValueError where there is a tenant."""
    engine = owner_engine(url)
    with engine.connect() as connection:
        if connection.scalar(_IS_USED):
            raise ValueError("there are tenants in this database, and tests would empty it")
        tables = list(connection.scalars(_TABLES))
        rows = {
            table: connection.scalar(text(f"select jsonb_agg(to_jsonb(t))::text from {table} t")) for table in tables
        }
    engine.dispose()
    return Emptied(url, tables, {table: found for table, found in rows.items() if found})


class CommittedDatabase(Database):
    """Every role on connections of its own; `outer` is the owner's, and commits each statement."""

    def __init__(self, url: str) -> None:
        super().__init__("web", {role: create_engine(role_url(url, role, SECRET_KEY)) for role in ROLES})
        self._owner = owner_engine(url, isolation_level="AUTOCOMMIT")
        self.outer: Connection = self._owner.connect()

    def close(self) -> None:
        """Close the owner's connection too."""
        super().close()
        self.outer.close()
        self._owner.dispose()


def own_database(at: Servers, migrated_url: str, shared: Emptied | None) -> AbstractContextManager[str]:
    """A database with real commits, for as long as the context lasts; answers the owner's URL."""
    return shared.used() if shared else copied_database(at, migrated_url)
