"""The pages, one module each: PATH, TITLE, ids and layout(**url). A new page is a line here and in callbacks/."""

from __future__ import annotations

from types import ModuleType
from typing import Final

from pages import (
    account,
    admin,
    alerts,
    anomalies,
    audit,
    capacity,
    cardinality,
    channels,
    credentials,
    device,
    explore,
    floor,
    ingest,
    inventory,
    models,
    proof,
    roles,
    rules,
    storage,
    tenants,
    tokens,
    users,
)

PAGES: Final[tuple[ModuleType, ...]] = (
    floor,
    alerts,
    anomalies,
    explore,
    capacity,
    inventory,
    device,
    admin,
    users,
    roles,
    tokens,
    rules,
    channels,
    credentials,
    ingest,
    storage,
    cardinality,
    models,
    audit,
    tenants,
    proof,
    account,
)
