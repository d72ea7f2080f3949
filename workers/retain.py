"""Once in an hour: partitions for the coming days; what is past its term is archived where it must, and goes."""

from __future__ import annotations

import logging

from app.clock import utc_now
from app.tsdb import retention

log = logging.getLogger(__name__)


def retain() -> None:
    """Job: make partitions ahead and apply every tenant's terms."""
    now = utc_now()
    made = retention.make_partitions(now)
    done = retention.drop_expired(now)
    log.info("retention done", extra={"made": made, **vars(done)})
