"""The callbacks of the pages, under the same names. A new page is a line here and in pages/."""

from __future__ import annotations

from types import ModuleType
from typing import Final

from callbacks import (
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

CALLBACKS: Final[tuple[ModuleType, ...]] = (
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
