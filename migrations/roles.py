"""The database roles of the program, made before any migration runs.

Roles belong to the cluster, not to the database, so they are no migration of their own.
"""

from __future__ import annotations

from collections.abc import Mapping

from psycopg import sql
from sqlalchemy import Connection, text

# Only the writer passes row-level security: COPY is refused on tables that have it.
BYPASSES_RLS = frozenset({"watchfloor_writer"})


def ensure_roles(connection: Connection, passwords: Mapping[str, str]) -> None:
    """Make the login roles that are missing and set the passwords of all; `passwords` by role name."""
    # One migration at a time in the whole cluster: two that make the same role would collide.
    connection.execute(text("select pg_advisory_xact_lock(hashtext('watchfloor roles'))"))
    existing = set(connection.scalars(text("select rolname from pg_roles where rolname like 'watchfloor\\_%'")))
    driver = connection.connection.driver_connection
    assert driver is not None
    for name, password in passwords.items():
        verb = "alter" if name in existing else "create"
        bypass = "bypassrls" if name in BYPASSES_RLS else "nobypassrls"
        if name in existing:
            bypass = ""
        statement = sql.SQL("{verb} role {name} login nocreatedb nocreaterole {bypass} password {password}").format(
            verb=sql.SQL(verb), name=sql.Identifier(name), bypass=sql.SQL(bypass), password=sql.Literal(password)
        )
        driver.execute(statement)
