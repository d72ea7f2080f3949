"""What detection keeps: how far each group is scored, the scores, and the anomalies; app/tsdb holds the SQL."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, PrimaryKeyConstraint, SmallInteger, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, BigId, Document


class DetectorStateRow(Base):
    """How far a group is scored, and what its detectors knew at `state_to`; the rest is replayed from the store."""

    __tablename__ = "detector_states"
    __table_args__ = (PrimaryKeyConstraint("tenant_id", "group_id"),)

    tenant_id: Mapped[int]
    group_id: Mapped[int]
    scored_to: Mapped[datetime]
    state_to: Mapped[datetime | None]
    slots: Mapped[int] = mapped_column(SmallInteger, server_default="0")  # how many series the state is of
    checksum: Mapped[int] = mapped_column(BigInteger, server_default="0")
    state: Mapped[bytes | None] = mapped_column(LargeBinary)


class AnomalyScoreRow(Base):
    """The scores of one group at one time, a byte for each slot; app.tsdb.scores says what it stands for."""

    __tablename__ = "anomaly_scores"
    __table_args__ = (
        PrimaryKeyConstraint("tenant_id", "group_id", "ts"),
        Index("anomaly_scores_ts_idx", "tenant_id", "ts", postgresql_using="brin"),
    )

    tenant_id: Mapped[int]
    group_id: Mapped[int]
    ts: Mapped[datetime]
    scores: Mapped[bytes] = mapped_column(LargeBinary)


class AnomalyRow(Base):
    """A stretch of time in which one series was unusual: score 1.0 or above, of the balanced profile."""

    __tablename__ = "anomalies"
    __table_args__ = (
        UniqueConstraint("tenant_id", "group_id", "slot", "started_at", "source", name="anomalies_series_key"),
        Index("anomalies_recent_idx", "tenant_id", "started_at"),
        Index("anomalies_device_idx", "tenant_id", "device_name", "started_at"),
    )

    id: Mapped[BigId]
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"))
    group_id: Mapped[int]
    slot: Mapped[int] = mapped_column(SmallInteger)
    source: Mapped[str] = mapped_column(server_default="series")  # app.tsdb.found_anomalies.Source
    metric: Mapped[str]
    labels: Mapped[Document]
    device_name: Mapped[str] = mapped_column(server_default="")
    interface_name: Mapped[str] = mapped_column(server_default="")
    started_at: Mapped[datetime]
    last_at: Mapped[datetime]  # of its newest unusual point
    peak_at: Mapped[datetime]
    score: Mapped[float]  # the highest; 1.0 is the boundary
    value: Mapped[float]  # at the peak; of a counter its rate per second
    is_rate: Mapped[bool] = mapped_column(server_default="false")
    expected_lo: Mapped[float | None]
    expected_hi: Mapped[float | None]
    nearest: Mapped[float | None]  # the nearest past value
    view: Mapped[int] = mapped_column(SmallInteger)  # app.domain.anomaly.base.View
    points: Mapped[int] = mapped_column(server_default="1")
