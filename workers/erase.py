"""The job that erases a tenant, once nothing of it can come in any more."""

from __future__ import annotations

import time

from app.actions import erasures


def erase(erasure_id: int) -> None:
    """Job: wait until every process knows that the tenant is closed, and erase it."""
    # At most QUIET, some seconds: until then a process may still take in what the tenant sends.
    time.sleep(erasures.quiet_in(erasure_id))
    erasures.carry_out(erasure_id)
