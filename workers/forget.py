"""Once in an hour: events, exemplars and counts of refusals past their terms go."""

from __future__ import annotations

import logging

from app.actions import events, purge
from app.clock import utc_now
from app.queries.devices import all_tenants
from app.tsdb import exemplars, refused

log = logging.getLogger(__name__)


def forget() -> None:
    """Job: delete old events and old counts of every tenant."""
    now = utc_now()
    for tenant in all_tenants():
        gone = {
            "events": events.forget(tenant, now=now),
            "counts": refused.forget(tenant, now=now),
            "exemplars": exemplars.trim(tenant),
            "alerts": purge.purge(tenant, now=now),
        }
        log.info("forgotten", extra={"tenant": tenant, **gone})
