"""Samples that arrive for hours whose raw samples have left the database.

Rollups cannot tell a sample that is sent once more from a new one. If the hours lie in the archive they are brought
back first, and everything is summed up again. If nothing is left of them their samples are refused: at the door, and
here what was on its way when the hours went.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from app.domain.refusals import Refusal
from app.domain.samples import GONE
from app.domain.tenancy import TenantId
from app.tsdb import archive, compact, departed
from app.tsdb.refused import Sender, record_refused
from models.session import tenant_connection

# As the source in what was refused: no protocol, it was taken and went later.
SENDER: Final = Sender("", "store", "")
# Raw samples are kept for a day at least: what is younger is not looked at.
YOUNGEST: Final = timedelta(days=1)
FIRST: Final = datetime(1, 1, 1, tzinfo=UTC)

_LATE = text(
    "select bucket, array_agg(group_id) as groups from (select distinct"
    " to_timestamp(floor((extract(epoch from ts) - 0.001) / 21600) * 21600) as bucket, group_id"
    " from sample_hot where tenant_id = :tenant and ts <= :before) found"
    " where bucket = any(cast(:departed as timestamptz[])) group by bucket order by bucket limit :limit"
)
_DELETE = text("delete from sample_hot where tenant_id = :tenant and ts > :bucket and ts <= :end")
_FORGET = text("delete from raw_gone where tenant_id = :tenant and bucket < :before")


def settle(tenant: TenantId, now: datetime, *, most: int) -> int:
    """Sum up anew, or refuse, what came late for at most so many pieces; answers how many samples were refused.

    The caller has the tenant's turn.
    """
    before = now - YOUNGEST
    with tenant_connection(tenant) as connection:
        ever = tenant, FIRST, before
        left = departed.gone(connection, *ever) | departed.archived(connection, *ever)
        parameters = {"tenant": tenant, "before": before, "limit": most, "departed": list(left)}
        found = connection.execute(_LATE, parameters).all() if left else []
    return sum(_settle(tenant, row.bucket, row.groups) for row in found)


def forget(connection: Connection, tenant: TenantId, *, before: datetime) -> None:
    """Pieces of which no rollup is left either need not be known."""
    connection.execute(_FORGET, {"tenant": tenant, "before": before})


def _settle(tenant: TenantId, bucket: datetime, groups: Sequence[int]) -> int:
    listed = archive.find(tenant, bucket)
    if listed is not None:
        archive.put_back(tenant, listed, is_late=True)
        compact.compact_bucket(tenant, int(bucket.timestamp() * 1000), groups)
        return 0
    samples = archive.count_stored(tenant, bucket)
    record_refused(tenant, SENDER, word=Refusal.TOO_OLD, sentence=GONE, samples=samples, requests=0)
    with tenant_connection(tenant) as connection:
        connection.execute(_DELETE, {"tenant": tenant, "bucket": bucket, "end": bucket + archive.LENGTH})
    return samples
