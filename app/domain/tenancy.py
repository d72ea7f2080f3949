"""Who acts, for which tenant, and what they may do.

The permission table is the default; a tenant's own roles (app/queries/roles.py) replace it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

TenantId = NewType("TenantId", int)


class Role(StrEnum):
    """The built-in roles of a tenant, weakest first."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    ADMIN = "admin"


class Scope(StrEnum):
    """What an API token may be used for."""

    INGEST = "ingest"
    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


READ, WRITE, ADMIN, INGEST = "read", "write", "admin", "ingest"

# What decides who may; a token needs the scope admin for them, also to read.
ACCESS_NOUNS = frozenset({"users", "roles", "tokens", "audit", "credentials", "settings"})

# The rows of a permission table that a tenant edits; any other noun follows the row "*".
TABLE_NOUNS = (
    "devices",
    "interfaces",
    "sites",
    "links",
    "metrics",
    "alerts",
    "rules",
    "channels",
    "credentials",
    "users",
    "roles",
    "tokens",
    "audit",
    "settings",
    "*",
)
VERBS = (READ, WRITE, ADMIN)

# noun -> verb -> the roles that may; nouns that are absent follow "*".
DEFAULT_PERMISSIONS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "*": {
        READ: frozenset({Role.VIEWER, Role.ANALYST, Role.ADMIN}),
        WRITE: frozenset({Role.ANALYST, Role.ADMIN}),
        ADMIN: frozenset({Role.ADMIN}),
    },
    **{
        noun: {verb: frozenset({Role.ADMIN}) for verb in (READ, WRITE, ADMIN)}
        for noun in ("users", "roles", "tokens", "audit", "credentials", "channels", "settings")
    },
    "tenants": {READ: frozenset(), WRITE: frozenset(), ADMIN: frozenset()},
    "rules": {
        READ: frozenset({Role.VIEWER, Role.ANALYST, Role.ADMIN}),
        WRITE: frozenset({Role.ADMIN}),
        ADMIN: frozenset({Role.ADMIN}),
    },
}


@dataclass(frozen=True)
class Viewer:
    """One person or program, acting for exactly one tenant.

    `grants` are the (noun, verb) pairs of a role the tenant made or changed itself; None means
    that the built-in table decides. `scopes` is None for people and a set for tokens.
    """

    tenant: TenantId
    tenant_name: str
    name: str
    role: str
    user_id: int | None = None
    email: str | None = None
    token_id: int | None = None
    session_id: int | None = None
    scopes: frozenset[Scope] | None = None
    is_platform_admin: bool = False
    grants: frozenset[tuple[str, str]] | None = field(default=None, compare=False)


def may(viewer: Viewer, verb: str, noun: str) -> bool:
    """Whether `viewer` may do `verb` (read, write, admin, ingest) to `noun` (devices, alerts, users, ...)."""
    if viewer.scopes is not None:
        return _scopes_allow(viewer.scopes, verb, noun)
    if noun == "tenants":
        return viewer.is_platform_admin
    if viewer.is_platform_admin:
        return verb != INGEST
    if viewer.grants is not None:
        return (noun if noun in TABLE_NOUNS else "*", verb) in viewer.grants
    table = DEFAULT_PERMISSIONS.get(noun, DEFAULT_PERMISSIONS["*"])
    return viewer.role in table.get(verb, frozenset())


def builtin_grants(role: str) -> frozenset[tuple[str, str]]:
    """The (noun, verb) pairs of a built-in role, one row for each of TABLE_NOUNS."""
    return frozenset(
        (noun, verb)
        for noun in TABLE_NOUNS
        for verb in VERBS
        if role in DEFAULT_PERMISSIONS.get(noun, DEFAULT_PERMISSIONS["*"])[verb]
    )


def _scopes_allow(scopes: frozenset[Scope], verb: str, noun: str) -> bool:
    """A wider scope includes the narrower ones; `ingest` neither includes nor is included."""
    if verb == INGEST:
        return Scope.INGEST in scopes
    if noun == "tenants":
        return False
    if noun in ACCESS_NOUNS:
        return Scope.ADMIN in scopes
    allowed = {
        READ: {Scope.READ, Scope.WRITE, Scope.ADMIN},
        WRITE: {Scope.WRITE, Scope.ADMIN},
        ADMIN: {Scope.ADMIN},
    }
    return bool(scopes & allowed[verb])
