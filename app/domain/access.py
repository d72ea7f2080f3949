"""What people see of tenants, persons, roles, tokens, sessions and the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.domain.tenancy import Scope


@dataclass(frozen=True)
class Tenant:
    """A tenant with its limits; `accept_from` opens the ingest window for old data."""

    id: int
    name: str
    title: str
    accept_from: datetime | None
    accept_late_s: int
    accept_ahead_s: int
    samples_per_s: int
    active_series: int
    burst_s: int
    new_series_per_min: int
    most_labels: int
    most_name_chars: int
    most_value_chars: int
    most_body_bytes: int
    raw_retention_days: int
    retention_5m_days: int
    retention_1h_days: int
    retention_1d_days: int
    created_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True)
class Person:
    """Somebody who can sign in, as one tenant sees them."""

    id: int
    email: str
    name: str
    role: str
    is_platform_admin: bool
    created_at: datetime
    disabled_at: datetime | None
    signed_in_at: datetime | None


@dataclass(frozen=True)
class RoleTable:
    """A role with the (noun, verb) pairs it grants; `is_builtin` while the tenant has not changed it."""

    name: str
    title: str
    grants: tuple[tuple[str, str], ...]
    is_builtin: bool
    members: int


@dataclass(frozen=True)
class ApiToken:
    """An API token without its secret."""

    id: int
    name: str
    prefix: str
    scopes: tuple[Scope, ...]
    source_ranges: tuple[str, ...]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True)
class BrowserSession:
    """One of a person's sessions; `is_current` is the one that asks."""

    id: int
    tenant_name: str
    address: str
    user_agent: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    is_current: bool


@dataclass(frozen=True)
class AuditEntry:
    """Who did what to which thing."""

    id: int
    at: datetime
    actor: str
    action: str
    noun: str
    object_id: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    request_id: str


@dataclass(frozen=True)
class ChainCheck:
    """Whether the audit log still says what was written; `first_bad` is the first entry that does not."""

    entries: int
    first_bad: int | None
    last_hash: str

    @property
    def is_intact(self) -> bool:
        """No entry was changed, removed, added or moved."""
        return self.first_bad is None
