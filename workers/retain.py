"""Once in an hour: partitions for the coming days, and the end of those past every term."""

from __future__ import annotations

import logging

from app.clock import utc_now
from app.tsdb import retention

log = logging.getLogger(__name__)


def retain() -> None:
    """Job: make partitions ahead and drop what is older than its term."""
    now = utc_now()
    made = retention.make_partitions(now)
    done = retention.drop_expired(now)
    log.info("retention done", extra={"made": made, "dropped": done.dropped, "deleted": done.deleted})
