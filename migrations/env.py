"""Alembic's entry: makes the roles, then runs the migrations, with limits on locks and statements.

The caller (app/cli/migrate.py) passes an open connection and the roles' passwords in `config.attributes`.
"""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, text

import models.access
import models.alerting
import models.audit
import models.inventory
import models.samples
import models.tenants  # noqa: F401  the imports fill Base.metadata
from migrations.roles import ensure_roles
from models.base import Base

LOCK_LIMIT = "4s"
STATEMENT_LIMIT = "5s"


def run() -> None:
    """Upgrade or downgrade over the connection that the caller opened."""
    connection: Connection = context.config.attributes["connection"]
    ensure_roles(connection, context.config.attributes["role_passwords"])
    connection.execute(text(f"set local lock_timeout = '{LOCK_LIMIT}'"))
    connection.execute(text(f"set local statement_timeout = '{STATEMENT_LIMIT}'"))
    context.configure(connection=connection, target_metadata=Base.metadata, compare_server_default=False)
    with context.begin_transaction():
        context.run_migrations()


run()
