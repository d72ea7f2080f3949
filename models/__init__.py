"""Tables. All are declared together: a foreign key must find its table whichever one a process asks for first."""

from models import (
    access,
    alerting,
    anomalies,
    archives,
    audit,
    blocks,
    capacity,
    events,
    feedback,
    forecasts,
    injections,
    inventory,
    mlmodels,
    samples,
    tenants,
)

__all__ = [
    "access",
    "alerting",
    "anomalies",
    "archives",
    "audit",
    "blocks",
    "capacity",
    "events",
    "feedback",
    "forecasts",
    "injections",
    "inventory",
    "mlmodels",
    "samples",
    "tenants",
]
