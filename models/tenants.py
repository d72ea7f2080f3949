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
    archive_days: Mapped[int] = mapped_column(server_default="3650")  # 0: raw samples go without a copy
    retention_5m_days: Mapped[int] = mapped_column(server_default="90")
    retention_1h_days: Mapped[int] = mapped_column(server_default="730")
    retention_1d_days: Mapped[int] = mapped_column(server_default="3650")
    settings: Mapped[Document]
    created_at: Mapped[Created]
    closed_at: Mapped[datetime | None]


class ErasureRow(Base):
    """A tenant that was erased, or is being: what there was of it before and after, by table and kind."""

    __tablename__ = "erasures"

    id: Mapped[Id]
    erased_id: Mapped[int]
    name: Mapped[str]
    requested_by: Mapped[str]
    requested_at: Mapped[Created]
    finished_at: Mapped[datetime | None]
    before: Mapped[Document]
    after: Mapped[Document]
