"""What forecasting keeps: forecasts by group, and how good past ones were; app/tsdb/forecasts.py holds the SQL."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, PrimaryKeyConstraint, SmallInteger, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Created, Id


class ForecastRow(Base):
    """The forecasts of one group's series from one moment on; app.tsdb.forecasts says how they are packed."""

    __tablename__ = "forecasts"
    __table_args__ = (
        PrimaryKeyConstraint("tenant_id", "group_id", "made_at"),
        Index("forecasts_made_idx", "tenant_id", "made_at"),
    )

    tenant_id: Mapped[int]
    group_id: Mapped[int]
    made_at: Mapped[datetime]  # a full hour: what ended later was not seen
    series: Mapped[int] = mapped_column(SmallInteger)  # with a forecast
    lacking: Mapped[int] = mapped_column(SmallInteger)  # whose history is too short
    checksum: Mapped[int] = mapped_column(BigInteger)
    packed: Mapped[bytes] = mapped_column(LargeBinary)


class ForecastQualityRow(Base):
    """How good forecasts of a family were, over the hours that came until the next run (or in its backtest).

    `error` and `naive_error` are sums over points, in units of each series' own seasonal error: their ratio is MASE
    against seasonal naive.
    """

    __tablename__ = "forecast_quality"
    __table_args__ = (PrimaryKeyConstraint("tenant_id", "family", "made_at", "is_backtest"),)

    tenant_id: Mapped[int]
    family: Mapped[str]
    made_at: Mapped[datetime]  # the run that looked
    is_backtest: Mapped[bool]
    series: Mapped[int]
    points: Mapped[int] = mapped_column(BigInteger)
    inside80: Mapped[int] = mapped_column(BigInteger)
    inside95: Mapped[int] = mapped_column(BigInteger)
    error: Mapped[float]
    naive_error: Mapped[float]


class ForecastPinRow(Base):
    """Series that somebody wants forecast by auto_arima, by a selector."""

    __tablename__ = "forecast_pins"
    __table_args__ = (UniqueConstraint("tenant_id", "selector"),)

    id: Mapped[Id]
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"))
    selector: Mapped[str]
    made_by: Mapped[str]
    created_at: Mapped[Created]


class ForecastFitRow(Base):
    """What auto_arima came to for one pinned series at the newest run that it was done for."""

    __tablename__ = "forecast_fits"
    __table_args__ = (PrimaryKeyConstraint("tenant_id", "group_id", "slot"),)

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"))
    group_id: Mapped[int]
    slot: Mapped[int] = mapped_column(SmallInteger)
    made_at: Mapped[datetime]  # the run whose forecast it is, or would have been
    fitted_at: Mapped[datetime]
    orders: Mapped[str]  # (p,d,q)(0,1,0)[24]; empty: none fitted
    ratio: Mapped[float | None]  # its error in units of seasonal naive's; None: not known
    is_better: Mapped[bool]
