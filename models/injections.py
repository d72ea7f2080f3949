"""What was injected on purpose: the log that detection and forecasts are compared with."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, BigId, Document


class InjectionRow(Base):
    """One injection; app.domain.injections says what its fields mean."""

    __tablename__ = "injections"
    __table_args__ = (
        UniqueConstraint("tenant_id", "ref"),
        Index("injections_time_idx", "tenant_id", "started_at"),
    )

    id: Mapped[BigId]
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"))
    ref: Mapped[str]  # of whoever injected; one that is told twice is kept once
    family: Mapped[str]
    kind: Mapped[str]
    metric: Mapped[str] = mapped_column(server_default="")
    labels: Mapped[Document]
    affected: Mapped[list[Any]] = mapped_column(JSONB, server_default="[]")
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime]
    magnitude: Mapped[float] = mapped_column(server_default="0")
