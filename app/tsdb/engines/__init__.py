"""What the database server can do beyond plain Postgres, and its use: one small file for each."""

from __future__ import annotations

from sqlalchemy import Connection

from app.tsdb.engines import citus, timescale


def adopt(connection: Connection) -> str:
    """As the owner, after the migrations: use what the server has; answers its name."""
    if citus.adopt(connection):
        return "citus"
    return "timescaledb" if timescale.adopt(connection) else "postgres"
