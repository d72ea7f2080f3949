"""Events: what happened at a moment, as agents tell it: changes, deploys, syslog lines, traps."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, BigId, Created, Document


class EventRow(Base):
    """One event. `digest` is of everything it says, so that one which is sent twice is kept once."""

    __tablename__ = "events"
    __table_args__ = (
        UniqueConstraint("tenant_id", "at", "digest"),
        Index("events_device_idx", "tenant_id", "device_name", "at"),
    )

    id: Mapped[BigId]
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"))
    at: Mapped[datetime]
    kind: Mapped[str]
    severity: Mapped[str]
    device_name: Mapped[str]
    interface_name: Mapped[str]
    text: Mapped[str]
    labels: Mapped[Document]
    agent: Mapped[str]  # the name of the token that sent it
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    received_at: Mapped[Created]
