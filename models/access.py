"""People, their roles in tenants, their sessions, and API tokens."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, PrimaryKeyConstraint, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, BigId, Created, Document, Id, TenantColumn


class UserRow(Base):
    """A person who can sign in; belongs to tenants through memberships."""

    __tablename__ = "users"

    id: Mapped[Id]
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    password_hash: Mapped[str | None]
    is_platform_admin: Mapped[bool] = mapped_column(server_default="false")
    preferences: Mapped[Document]
    created_at: Mapped[Created]
    disabled_at: Mapped[datetime | None]
    signed_in_at: Mapped[datetime | None]


class MembershipRow(Base):
    """The role of one person in one tenant."""

    __tablename__ = "memberships"
    __table_args__ = (PrimaryKeyConstraint("tenant_id", "user_id"),)

    tenant_id: Mapped[TenantColumn]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    role: Mapped[str]
    created_at: Mapped[Created]


class RoleRow(Base):
    """A role of a tenant: the (noun, verb) pairs it grants. Absent rows mean the built-in table."""

    __tablename__ = "roles"
    __table_args__ = (PrimaryKeyConstraint("tenant_id", "name"),)

    tenant_id: Mapped[TenantColumn]
    name: Mapped[str]
    title: Mapped[str]
    grants: Mapped[list[list[str]]] = mapped_column(JSONB)
    created_at: Mapped[Created]


class SessionRow(Base):
    """A signed-in browser; the cookie's value is stored only as SHA-256."""

    __tablename__ = "sessions"

    id: Mapped[BigId]
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    tenant_id: Mapped[TenantColumn]
    csrf_token: Mapped[str]
    address: Mapped[str]
    user_agent: Mapped[str]
    created_at: Mapped[Created]
    seen_at: Mapped[Created]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class TokenRow(Base):
    """An API token of a tenant; the secret is stored only as SHA-256."""

    __tablename__ = "tokens"

    id: Mapped[Id]
    tenant_id: Mapped[TenantColumn]
    name: Mapped[str]
    prefix: Mapped[str]
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    source_ranges: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    created_by: Mapped[str]
    created_at: Mapped[Created]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
