"""Series, samples, and what belongs to them; app/tsdb holds the SQL.

A row of samples is what arrives together: one series group at one time, its values side by side by slot.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import BIT
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, BigId, Created, Document, Id, TenantColumn


class SeriesGroupRow(Base):
    """Series that arrive together: the slots of one row of samples. `ordinal` counts the groups of one `group_key`."""

    __tablename__ = "series_groups"
    __table_args__ = (UniqueConstraint("tenant_id", "group_key", "ordinal"),)

    id: Mapped[Id]
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"))
    group_key: Mapped[str]
    ordinal: Mapped[int]
    slots: Mapped[int] = mapped_column(SmallInteger)  # how many are given away
    created_at: Mapped[Created]
    closed_at: Mapped[datetime | None]  # takes no further series


class SeriesRow(Base):
    """One series and its place: a slot of a group. `key` is app.domain.labels.encode_labels(labels)."""

    __tablename__ = "series"
    __table_args__ = (
        UniqueConstraint("group_id", "slot"),
        Index("series_newest_idx", "tenant_id", "id"),
        Index("series_retired_idx", "tenant_id", postgresql_where=text("retired_at is not null")),
        Index("series_key_idx", "tenant_id", func.sha256(text("key")), unique=True),
        Index("series_labels_idx", "labels", postgresql_using="gin", postgresql_ops={"labels": "jsonb_path_ops"}),
    )

    id: Mapped[BigId]
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"))
    group_id: Mapped[int] = mapped_column(ForeignKey("series_groups.id", ondelete="CASCADE"))
    slot: Mapped[int] = mapped_column(SmallInteger)
    key: Mapped[bytes] = mapped_column(LargeBinary)
    labels: Mapped[Document]
    created_at: Mapped[Created]
    retired_at: Mapped[datetime | None]  # nothing is left of it; it goes unless it comes back (app/tsdb/gone.py)


class SeriesActiveRow(Base):
    """Which slots of a group got a sample in an hour, as it came in; written with the samples."""

    __tablename__ = "series_active"
    __table_args__ = (PrimaryKeyConstraint("tenant_id", "hour", "group_id"),)

    tenant_id: Mapped[int]
    hour: Mapped[datetime]
    group_id: Mapped[int]
    slots: Mapped[str] = mapped_column(BIT(240))


class SeriesPurgeRow(Base):
    """Series that left the catalogue: what readers know from before the newest of these is void."""

    __tablename__ = "series_purges"
    __table_args__ = (Index("series_purges_newest_idx", "tenant_id", "id"),)

    id: Mapped[BigId]
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"))
    at: Mapped[Created]
    series: Mapped[int]
    groups: Mapped[int]


class SampleHotRow(Base):
    """The samples of one group at one time, as they came in.

    `vals`: float64, little-endian. Dense: `slots` is null and the value of slot i stands at 8*i, ABSENT where there
    is none. Sparse: `slots` holds one byte for each value. Several rows may share (group, ts); the one with the
    greater `part` wins. Partitioned by time; the mapper's primary key is none in the database.
    """

    __tablename__ = "sample_hot"
    __table_args__ = (
        Index("sample_hot_group_id_ts_idx", "group_id", "ts"),
        {"postgresql_partition_by": "RANGE (ts)"},
    )
    __mapper_args__ = {"primary_key": ["tenant_id", "group_id", "ts", "part"]}  # noqa: RUF012  SQLAlchemy's form

    tenant_id: Mapped[int]
    group_id: Mapped[int]
    ts: Mapped[datetime]
    part: Mapped[int] = mapped_column(BigInteger)
    slots: Mapped[bytes | None] = mapped_column(LargeBinary)
    vals: Mapped[bytes] = mapped_column(LargeBinary)


class SamplePartitionRow(Base):
    """The partitions of sample_hot that exist; kept by the functions that make and drop them."""

    __tablename__ = "sample_partitions"

    name: Mapped[str] = mapped_column(primary_key=True)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]


class RawGoneRow(Base):
    """Six hours of which no raw sample is left anywhere: nothing is taken for them any more."""

    __tablename__ = "raw_gone"
    __table_args__ = (PrimaryKeyConstraint("tenant_id", "bucket"),)

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"))
    bucket: Mapped[datetime]


class StreamOffsetRow(Base):
    """How far each shard of the stream is stored; changed in the transaction that stores the samples."""

    __tablename__ = "stream_offsets"

    shard: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    last_entry: Mapped[str] = mapped_column(server_default="0-0")
    fence: Mapped[int] = mapped_column(BigInteger, server_default="0")  # the token of the drain that may write
    stored_at: Mapped[Created]


class StreamLayoutRow(Base):
    """How many shards the stream has; one row."""

    __tablename__ = "stream_layout"
    __table_args__ = (
        CheckConstraint("id = 1", name="one_row"),
        CheckConstraint("shards between 1 and 64", name="shards"),
    )

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False, server_default="1")
    shards: Mapped[int] = mapped_column(SmallInteger, server_default="2")
    changed_at: Mapped[Created]


class RejectedSampleRow(Base):
    """Samples that were refused: the newest of each tenant, one row for each reason in a request."""

    __tablename__ = "rejected_samples"
    __table_args__ = (Index("rejected_samples_newest_idx", "tenant_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"))
    at: Mapped[Created]
    agent: Mapped[str] = mapped_column(server_default="")  # the name of the token that sent them
    source: Mapped[str]
    reason: Mapped[str]
    count: Mapped[int]
    position: Mapped[int]  # of the first of them in the request
    request_id: Mapped[str]


class RejectedCountRow(Base):
    """How much was refused, by the minutes of `bucket`; the bucket of 1970 holds the sum of all time."""

    __tablename__ = "rejected_counts"
    __table_args__ = (PrimaryKeyConstraint("tenant_id", "bucket", "agent", "source", "reason"),)

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"))
    bucket: Mapped[datetime]
    agent: Mapped[str]
    source: Mapped[str]
    reason: Mapped[str]  # a word of app.domain.refusals
    samples: Mapped[int] = mapped_column(BigInteger)
    requests: Mapped[int] = mapped_column(BigInteger)


class ExemplarRow(Base):
    """A single observation behind a sample. `digest` is of all it says: one that is sent twice is kept once."""

    __tablename__ = "exemplars"
    __table_args__ = (UniqueConstraint("tenant_id", "digest"), Index("exemplars_recent_idx", "tenant_id", "at"))

    id: Mapped[BigId]
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"))
    at: Mapped[datetime]
    series: Mapped[Document]
    labels: Mapped[Document]
    value: Mapped[float]
    digest: Mapped[bytes] = mapped_column(LargeBinary)


class MetricMetadataRow(Base):
    """What a sender says about a metric: its type, help and unit."""

    __tablename__ = "metric_metadata"
    __table_args__ = (PrimaryKeyConstraint("tenant_id", "metric"),)

    tenant_id: Mapped[TenantColumn]
    metric: Mapped[str]
    kind: Mapped[str]  # counter | gauge | histogram | summary | info | stateset | unknown
    help: Mapped[str]
    unit: Mapped[str]
    changed_at: Mapped[Created]
