"""Blocks of closed hours and their rollups; app/tsdb holds the SQL.

A bucket is open on the left: it holds the samples of (bucket, bucket + length], as the windows of PromQL do.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, LargeBinary, PrimaryKeyConstraint, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class SampleBlockRow(Base):
    """The samples of one group in six hours, packed by app.tsdb.codec. `checksum` is the blob's CRC-32."""

    __tablename__ = "sample_blocks"
    __table_args__ = (
        PrimaryKeyConstraint("tenant_id", "group_id", "bucket"),
        Index("sample_blocks_bucket_idx", "tenant_id", "bucket"),
    )

    tenant_id: Mapped[int]
    group_id: Mapped[int]
    bucket: Mapped[datetime]
    first_ts: Mapped[datetime]
    last_ts: Mapped[datetime]
    version: Mapped[int]  # how many times the bucket was written
    samples: Mapped[int]
    checksum: Mapped[int] = mapped_column(BigInteger)
    codec: Mapped[int] = mapped_column(SmallInteger)
    blob: Mapped[bytes] = mapped_column(LargeBinary)


class SampleRollupRow(Base):
    """What the samples of one group come to, for each `tier` seconds: number, extremes, sum, ends and increase.

    One row holds the cells of six hours (tier 300) or of a day (3600, 86400), which `bucket` opens.
    """

    __tablename__ = "sample_rollups"
    __table_args__ = (
        PrimaryKeyConstraint("tenant_id", "group_id", "tier", "bucket"),
        Index("sample_rollups_bucket_idx", "tenant_id", "tier", "bucket"),
    )

    tenant_id: Mapped[int]
    group_id: Mapped[int]
    tier: Mapped[int]
    bucket: Mapped[datetime]
    first_ts: Mapped[datetime]
    last_ts: Mapped[datetime]
    version: Mapped[int]
    samples: Mapped[int]
    checksum: Mapped[int] = mapped_column(BigInteger)
    codec: Mapped[int] = mapped_column(SmallInteger)
    blob: Mapped[bytes] = mapped_column(LargeBinary)
