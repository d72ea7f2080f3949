"""The REST nouns: one blueprint each, one line each in BLUEPRINTS.

How a noun describes itself (app/api/openapi.py makes the document from it): a view is decorated, outermost first, with
the route, `@documented(...)` and `@guarded(verb, noun)`; see the docstring of app/api/openapi.py.
"""

from __future__ import annotations

from flask import Blueprint

from app.api.resources import (
    account,
    alerts,
    anomalies,
    audit,
    capacity,
    cardinality,
    channels,
    credentials,
    devices,
    events,
    feedback,
    forecasts,
    ingest,
    interfaces,
    links,
    models,
    roles,
    rules,
    sites,
    storage,
    tenants,
    tokens,
    users,
)

BLUEPRINTS: tuple[Blueprint, ...] = (
    account.blueprint,
    alerts.blueprint,
    anomalies.blueprint,
    audit.blueprint,
    capacity.blueprint,
    cardinality.blueprint,
    channels.blueprint,
    credentials.blueprint,
    devices.blueprint,
    events.blueprint,
    forecasts.blueprint,
    feedback.blueprint,
    ingest.blueprint,
    interfaces.blueprint,
    links.blueprint,
    models.blueprint,
    roles.blueprint,
    rules.blueprint,
    sites.blueprint,
    storage.blueprint,
    tenants.blueprint,
    tokens.blueprint,
    users.blueprint,
)
