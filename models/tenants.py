"""Tenants and what each may use."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Created, Document, Id


class TenantRow(Base):
    """One customer or department; the wall between tenants runs along this id."""

    __tablename__ = "tenants"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str]
    accept_from: Mapped[datetime | None]
    accept_late_s: Mapped[int] = mapped_column(server_default="604800")
    accept_ahead_s: Mapped[int] = mapped_column(server_default="600")
    samples_per_s: Mapped[int] = mapped_column(server_default="200000")
    active_series: Mapped[int] = mapped_column(server_default="2000000")
    raw_retention_days: Mapped[int] = mapped_column(server_default="15")
    settings: Mapped[Document]
    created_at: Mapped[Created]
    closed_at: Mapped[datetime | None]
