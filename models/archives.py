"""The list of archived hours; what is not on it is not in the archive."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, BigId, Created


class ArchiveRow(Base):
    """One hour of raw samples of a tenant, as a Parquet object that was read back before it was listed."""

    __tablename__ = "archives"
    __table_args__ = (UniqueConstraint("tenant_id", "bucket"),)

    id: Mapped[BigId]
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"))
    bucket: Mapped[datetime]  # the beginning of the hour
    path: Mapped[str]
    series: Mapped[int]
    samples: Mapped[int] = mapped_column(BigInteger)
    bytes: Mapped[int] = mapped_column(BigInteger)
    checksum: Mapped[str]  # SHA-256 of the object
    first_ts: Mapped[datetime]
    last_ts: Mapped[datetime]
    archived_at: Mapped[Created]
    restored_at: Mapped[datetime | None]  # back among the raw samples since
    restored_until: Mapped[datetime | None]  # retention leaves them until
