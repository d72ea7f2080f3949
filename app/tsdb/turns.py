"""One at a time on what a tenant has stored: retention, restoring, erasing and purging take turns.

A turn is a lock of the database that ends with its transaction: a process that dies has had its turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from app.domain.tenancy import TenantId
from app.errors import Conflict
from models.session import tenant_connection

# What a person waits for, and what a job does.
PATIENCE_S: Final = 5
JOB_PATIENCE_S: Final = 1800

_WAIT = text("select set_config('lock_timeout', :timeout, true)")
_LOCK = text("select pg_advisory_xact_lock(hashtext('watchfloor storage'), :tenant)")


class NotOurTurn(Conflict):
    """Somebody else is at work on the tenant's storage."""


@contextmanager
def turn_of(tenant: TenantId, *, wait_s: int) -> Iterator[None]:
    """Have a turn for the time of the block; raises NotOurTurn when it does not come within `wait_s`, 1 or more.

    The connection that holds it is idle meanwhile and keeps no snapshot, so vacuum is not held up.
    """
    with tenant_connection(tenant) as connection:
        connection.execute(_WAIT, {"timeout": f"{wait_s}s"})
        try:
            connection.execute(_LOCK, {"tenant": tenant})
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", "") != "55P03":  # lock_not_available
                raise
            raise NotOurTurn("The tenant's storage is being worked at. Try again in a minute.") from error
        yield
