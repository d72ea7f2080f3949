"""Once in an hour: partitions for the coming days; what is past its term is archived where it must, and goes.

Once in a day: series of which nothing is left go, too.
"""

from __future__ import annotations

import logging

from app.clock import utc_now
from app.queries.devices import all_tenants
from app.tsdb import active, gone, retention

log = logging.getLogger(__name__)


def retain() -> None:
    """Job: make partitions ahead and apply every tenant's terms."""
    now = utc_now()
    made = retention.make_partitions(now)
    done = retention.drop_expired(now)
    log.info("retention done", extra={"made": made, **vars(done)})


def purge() -> None:
    """Job: take the series of which nothing is left out of every tenant's catalogue."""
    for tenant in all_tenants():
        now = utc_now()
        active.drop_old(tenant, now)
        done = gone.purge(tenant, now)
        log.info("series purged", extra={"tenant": tenant, **vars(done)})
