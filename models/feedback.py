"""What people say of anomalies, and the sensitivity of each tenant that it moves."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, BigId, Document


class FeedbackMarkRow(Base):
    """A verdict on an anomaly, on an alert, or on a stretch of one series; undone ones stay, with who undid them."""

    __tablename__ = "feedback_marks"
    __table_args__ = (
        Index("feedback_marks_time_idx", "tenant_id", "start_at"),
        Index("feedback_marks_anomaly_idx", "tenant_id", "anomaly_id"),
        Index("feedback_marks_alert_idx", "tenant_id", "alert_id"),
    )

    id: Mapped[BigId]
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"))
    anomaly_id: Mapped[int | None] = mapped_column(BigInteger)
    alert_id: Mapped[int | None] = mapped_column(BigInteger)
    labels: Mapped[Document]  # of the series; of an alert that names no series those of its subject
    start_at: Mapped[datetime]
    end_at: Mapped[datetime]
    score: Mapped[float | None]
    verdict: Mapped[str]  # expected | real
    note: Mapped[str] = mapped_column(server_default="")
    step: Mapped[int] = mapped_column(SmallInteger, server_default="0")  # how it moved the tenant's sensitivity
    replaced_id: Mapped[int | None] = mapped_column(BigInteger)  # the mark that stood before; undoing brings it back
    made_by: Mapped[str]
    made_at: Mapped[datetime]
    undone_by: Mapped[str] = mapped_column(server_default="")
    undone_at: Mapped[datetime | None]


class DetectionSettingsRow(Base):
    """How sensitive detection is for a tenant: steps from the profile, see app.domain.anomaly.verdicts."""

    __tablename__ = "detection_settings"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True)
    steps: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    changed_at: Mapped[datetime]
