"""What capacity planning keeps: what is used day by day, when it is expected to be full, and what was said before."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, PrimaryKeyConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, BigId, Document


class CapacityRunRow(Base):
    """The newest run of a tenant."""

    __tablename__ = "capacity_runs"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True)
    ran_at: Mapped[datetime]
    last_day: Mapped[date]  # the newest day that it saw
    rollups: Mapped[int] = mapped_column(BigInteger)  # rows of history that there were
    items: Mapped[int]
    idle: Mapped[int]  # things that were hardly used on any day, and are left out
    duration_s: Mapped[float]


class CapacityItemRow(Base):
    """One thing that can be full. Shares are per cent of `size`; days count from the day after `last_day`."""

    __tablename__ = "capacity_items"
    __table_args__ = (
        UniqueConstraint("tenant_id", "kind", "device_name", "object"),
        Index("capacity_items_rank_idx", "tenant_id", "rank", "id"),
    )

    id: Mapped[BigId]
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"))
    kind: Mapped[str]  # app.domain.forecast.capacity_kinds
    device_name: Mapped[str]
    object: Mapped[str] = mapped_column(server_default="")  # what of the device: a port, a storage, a pool
    labels: Mapped[Document]
    size: Mapped[float]  # what there is of it, in the unit of its kind
    threshold: Mapped[float]
    is_own_threshold: Mapped[bool] = mapped_column(server_default="false")  # somebody set it for this one
    last_day: Mapped[date]
    daily: Mapped[bytes] = mapped_column(LargeBinary)  # float32 for each day up to last_day; NaN = no figure
    days: Mapped[int]  # with a figure
    missing_days: Mapped[int]  # more are needed before anything can be said; all below is empty then
    now: Mapped[float | None]
    per_week: Mapped[float | None]
    p30: Mapped[float | None]
    p90: Mapped[float | None]
    p180: Mapped[float | None]
    d10: Mapped[float | None]  # None: beyond a year
    d50: Mapped[float | None]
    d90: Mapped[float | None]
    chances: Mapped[bytes | None] = mapped_column(LargeBinary)  # float32: full within 0, 1, 2 … days
    error: Mapped[float | None]  # how far the level of 30 days later was from what was said, on average
    naive_error: Mapped[float | None]  # how far it was from the level of that day
    rank: Mapped[float]  # what is full first comes first
    computed_at: Mapped[datetime]


class CapacityPredictionRow(Base):
    """What was said of one thing on one day, and what came. Days count from the day after `said_on`."""

    __tablename__ = "capacity_predictions"
    __table_args__ = (PrimaryKeyConstraint("tenant_id", "item_id", "said_on"),)

    tenant_id: Mapped[int]
    item_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("capacity_items.id", ondelete="CASCADE"), index=True)
    said_on: Mapped[date]  # the newest day that was seen
    is_backtest: Mapped[bool]  # said later, from what was known on that day
    threshold: Mapped[float]
    now: Mapped[float]
    in30: Mapped[float]  # the level that was expected for 30 days later
    p30: Mapped[float]
    p90: Mapped[float]
    p180: Mapped[float]
    d10: Mapped[float | None]
    d50: Mapped[float | None]
    d90: Mapped[float | None]
    came30: Mapped[float | None]  # the level that came
    full_after: Mapped[int | None]
    known_days: Mapped[int] = mapped_column(server_default="0")  # how far what came is known
