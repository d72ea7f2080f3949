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
    burst_s: Mapped[int] = mapped_column(server_default="30")  # seconds of its rate that a tenant may send at once
    new_series_per_min: Mapped[int] = mapped_column(server_default="300000")
    most_labels: Mapped[int] = mapped_column(server_default="64")
    most_name_chars: Mapped[int] = mapped_column(server_default="256")
    most_value_chars: Mapped[int] = mapped_column(server_default="4096")
    most_body_bytes: Mapped[int] = mapped_column(server_default="33554432")  # of one request, as sent
    raw_retention_days: Mapped[int] = mapped_column(server_default="15")
    settings: Mapped[Document]
    created_at: Mapped[Created]
    closed_at: Mapped[datetime | None]
