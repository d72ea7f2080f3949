"""Blocks of closed hours, and rollups of them.

Why: a row of hot samples costs nine bytes a sample and more; closed hours are rewritten to two. Years are answered
from rollups, because reading them raw would take seconds.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

MOMENT = postgresql.TIMESTAMP(timezone=True)
TABLES = ("sample_blocks", "sample_rollups")


def upgrade() -> None:
    """Make the tables, their walls and grants, and the function that drops partitions that are empty."""
    op.create_table(
        "sample_blocks",
        *_place(),
        *_contents(),
        sa.PrimaryKeyConstraint("tenant_id", "group_id", "bucket", name=op.f("sample_blocks_pkey")),
    )
    op.create_index("sample_blocks_bucket_idx", "sample_blocks", ["tenant_id", "bucket"])
    op.create_table(
        "sample_rollups",
        *_place(),
        sa.Column("tier", sa.Integer(), nullable=False),
        *_contents(),
        sa.PrimaryKeyConstraint("tenant_id", "group_id", "tier", "bucket", name=op.f("sample_rollups_pkey")),
    )
    op.create_index("sample_rollups_bucket_idx", "sample_rollups", ["tenant_id", "tier", "bucket"])
    for table in TABLES:
        # What is packed already is not worth a second try.
        op.execute(f"alter table {table} alter column blob set storage external")
        op.execute(f"select watchfloor_protect('{table}')")
    op.execute("revoke insert, update on sample_blocks, sample_rollups from watchfloor_web")
    op.execute(DROP_EMPTY)


def downgrade() -> None:
    """Drop what upgrade() made. Samples that stand in blocks only are lost."""
    op.execute("drop function watchfloor_drop_empty_partitions(timestamptz)")
    for table in TABLES:
        op.drop_table(table)


def _place() -> tuple[sa.Column[int], ...]:
    return (
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("group_id", sa.Integer(), nullable=False),
    )


def _contents() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("bucket", MOMENT, nullable=False),
        sa.Column("first_ts", MOMENT, nullable=False),
        sa.Column("last_ts", MOMENT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("samples", sa.Integer(), nullable=False),
        sa.Column("checksum", sa.BigInteger(), nullable=False),
        sa.Column("codec", sa.SmallInteger(), nullable=False),
        sa.Column("blob", sa.LargeBinary(), nullable=False),
    )


# A partition is looked at under the lock that dropping it needs: who wants to store into it meanwhile waits, finds
# that it is gone, and stores into a new one.
DROP_EMPTY = """
create function watchfloor_drop_empty_partitions(ended_before timestamptz) returns int
language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '2s' as $$
declare
    part text;
    is_used boolean;
    dropped int := 0;
begin
    perform pg_advisory_xact_lock(hashtext('watchfloor partitions'));
    if not exists (select from sample_partitions where ends_at <= ended_before) then
        return 0;
    end if;
    -- First, as readers do: who locks a partition and then its parent meets them half way.
    lock table only public.sample_hot in access exclusive mode;
    for part in select name from sample_partitions where ends_at <= ended_before order by starts_at loop
        execute format('alter table sample_parts.%I no force row level security', part);
        execute format('select exists (select from sample_parts.%I)', part) into is_used;
        if is_used then
            execute format('alter table sample_parts.%I force row level security', part);
        else
            execute format('drop table sample_parts.%I', part);
            delete from sample_partitions where name = part;
            dropped := dropped + 1;
        end if;
    end loop;
    return dropped;
end $$;
revoke all on function watchfloor_drop_empty_partitions(timestamptz) from public;
grant execute on function watchfloor_drop_empty_partitions(timestamptz) to watchfloor_worker;
"""
