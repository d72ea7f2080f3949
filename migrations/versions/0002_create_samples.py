"""Series, samples and the offsets of the stream.

Why: a row is what arrives together (one group, one time, many slots), because a row per sample costs twenty times
the CPU and ten times the disk. The functions below do what the running roles may not: they own no table.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

FUNCTIONS = (
    "watchfloor_drop_partitions(timestamptz)",
    "watchfloor_make_partitions(timestamptz[])",
    "watchfloor_register_series(int, bytea[], text[], text[])",
)
TABLES = (
    "metric_metadata",
    "rejected_samples",
    "stream_offsets",
    "sample_partitions",
    "sample_hot",
    "series",
    "series_groups",
)
PROTECTED = ("series_groups", "series", "sample_hot", "rejected_samples", "metric_metadata")
MOMENT = postgresql.TIMESTAMP(timezone=True)
NOW = sa.text("now()")


def upgrade() -> None:
    """Make the tables, their walls, their grants and their functions."""
    _create_series()
    _create_samples()
    _create_bookkeeping()
    for table in PROTECTED:
        op.execute(f"select watchfloor_protect('{table}')")
    op.execute(GRANTS)
    op.execute(REGISTER_SERIES)
    op.execute(MAKE_PARTITIONS)
    op.execute(DROP_PARTITIONS)
    op.execute(FUNCTION_GRANTS)


def downgrade() -> None:
    """Drop what upgrade() made."""
    for function in FUNCTIONS:
        op.execute(f"drop function {function}")
    for table in TABLES:
        op.drop_table(table)
    op.execute("drop schema sample_parts cascade")


def _create_series() -> None:
    op.create_table(
        "series_groups",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("group_key", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("slots", sa.SmallInteger(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("closed_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("series_groups_tenant_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("series_groups_pkey")),
        sa.UniqueConstraint(
            "tenant_id", "group_key", "ordinal", name=op.f("series_groups_tenant_id_group_key_ordinal_key")
        ),
    )
    op.create_table(
        "series",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("slot", sa.SmallInteger(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("labels", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("created_at", MOMENT, server_default=NOW, nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("series_tenant_id_fkey"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["group_id"], ["series_groups.id"], name=op.f("series_group_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("series_pkey")),
        sa.UniqueConstraint("group_id", "slot", name=op.f("series_group_id_slot_key")),
    )
    op.create_index("series_newest_idx", "series", ["tenant_id", "id"])
    # A key can be longer than an index entry may be.
    op.create_index("series_key_idx", "series", ["tenant_id", sa.text("sha256(key)")], unique=True)
    op.create_index(
        "series_labels_idx", "series", ["labels"], postgresql_using="gin", postgresql_ops={"labels": "jsonb_path_ops"}
    )


def _create_samples() -> None:
    op.create_table(
        "sample_hot",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("ts", MOMENT, nullable=False),
        sa.Column("part", sa.BigInteger(), nullable=False),
        sa.Column("slots", sa.LargeBinary(), nullable=True),
        sa.Column("vals", sa.LargeBinary(), nullable=False),
        postgresql_partition_by="RANGE (ts)",
    )
    # Packed already: an attempt to compress costs and gains nothing.
    op.execute("alter table sample_hot alter slots set storage external, alter vals set storage external")
    op.create_index("sample_hot_group_id_ts_idx", "sample_hot", ["group_id", "ts"])
    # A schema of their own, on which no running role has any right: partitions are reached through the parent.
    op.execute("create schema sample_parts")
    op.create_table(
        "sample_partitions",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("starts_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("sample_partitions_pkey")),
    )


def _create_bookkeeping() -> None:
    op.create_table(
        "stream_offsets",
        sa.Column("shard", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("last_entry", sa.Text(), server_default="0-0", nullable=False),
        sa.Column("fence", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("stored_at", MOMENT, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("shard", name=op.f("stream_offsets_pkey")),
    )
    op.create_table(
        "rejected_samples",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("rejected_samples_tenant_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("rejected_samples_pkey")),
    )
    op.create_index("rejected_samples_newest_idx", "rejected_samples", ["tenant_id", "id"])
    op.create_table(
        "metric_metadata",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("help", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("changed_at", MOMENT, server_default=NOW, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("metric_metadata_tenant_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "metric", name=op.f("metric_metadata_pkey")),
    )
    op.create_index(op.f("metric_metadata_tenant_id_idx"), "metric_metadata", ["tenant_id"])


# The writer passes row-level security (COPY is refused on tables that have it), so it may add and nothing more.
GRANTS = """
revoke insert, update, delete on sample_hot from watchfloor_web;
revoke insert, update on sample_hot from watchfloor_worker;
grant insert on sample_hot to watchfloor_writer;
grant select, insert, update on stream_offsets to watchfloor_writer;
grant select on stream_offsets to watchfloor_web, watchfloor_worker, watchfloor_platform;
grant select on sample_partitions to watchfloor_web, watchfloor_worker, watchfloor_writer;
"""

# Gives each new series a place. Serial for each tenant, so that slots have no gaps and ids become visible in order:
# the reader's cache relies on "nothing new below the greatest id". 240 slots keep a full row below 2 kB, where
# Postgres would move the values out of line. Series beyond the tenant's limit get no row and are not answered.
REGISTER_SERIES = """
create function watchfloor_register_series(
    for_tenant int, new_keys bytea[], new_labels text[], group_keys text[]
) returns table (series_key bytea, place bigint) language plpgsql as $$
begin
    perform pg_advisory_xact_lock(hashtext('watchfloor series'), for_tenant);
    with wanted as (
        select w.*, row_number() over (order by w.n) as nth_new
        from unnest(new_keys, new_labels, group_keys) with ordinality as w(key, labels, group_key, n)
        where not exists (select from series s where s.tenant_id = for_tenant and sha256(s.key) = sha256(w.key))
    ), room as (
        select t.active_series - coalesce((select sum(g.slots) from series_groups g where g.tenant_id = for_tenant), 0)
            as left_over
        from tenants t where t.id = for_tenant
    ), latest as (
        select distinct on (g.group_key) g.group_key, g.ordinal,
            case when g.closed_at is null then g.slots else 240 end as used
        from series_groups g
        where g.tenant_id = for_tenant and g.group_key in (select w.group_key from wanted w)
        order by g.group_key, g.ordinal desc
    ), planned as (
        select w.key, w.labels, w.group_key, coalesce(l.ordinal, 0) as first_ordinal,
            coalesce(l.used, 0) - 1 + row_number() over (partition by w.group_key order by w.n) as position
        from wanted w left join latest l using (group_key)
        where w.nth_new <= (select left_over from room)
    ), grown as (
        insert into series_groups as g (tenant_id, group_key, ordinal, slots)
        select for_tenant, p.group_key, p.first_ordinal + p.position / 240, max(p.position % 240) + 1
        from planned p group by 2, 3
        on conflict (tenant_id, group_key, ordinal) do update set slots = excluded.slots
        returning g.id, g.group_key, g.ordinal
    )
    insert into series (tenant_id, group_id, slot, key, labels)
    select for_tenant, g.id, p.position % 240, p.key, p.labels::jsonb
    from planned p join grown g on g.group_key = p.group_key and g.ordinal = p.first_ordinal + p.position / 240
    order by g.id, p.position;
    return query
        select s.key, s.group_id::bigint * 256 + s.slot
        from unnest(new_keys) as k(key)
        join series s on s.tenant_id = for_tenant and sha256(s.key) = sha256(k.key);
end $$
"""

# Six hours each; a month for data long past, so that decades of it do not make thousands of tables. Attached and not
# created in place: that locks readers out of the parent for no moment.
MAKE_PARTITIONS = """
create function watchfloor_make_partitions(moments timestamptz[]) returns int
language plpgsql security definer set search_path = public, pg_temp set timezone = 'UTC' as $$
declare
    moment timestamptz;
    first timestamptz;
    past timestamptz;
    part text;
    made int := 0;
begin
    perform pg_advisory_xact_lock(hashtext('watchfloor partitions'));
    foreach moment in array moments loop
        continue when exists (select from sample_partitions p where p.starts_at <= moment and moment < p.ends_at);
        first := date_trunc('month', moment);
        past := first + interval '1 month';
        if past > now() - interval '60 days'
                or exists (select from sample_partitions p where p.starts_at < past and first < p.ends_at) then
            first := to_timestamp(floor(extract(epoch from moment) / 21600) * 21600);
            past := first + interval '6 hours';
        end if;
        part := 'sample_hot_' || to_char(first, 'YYYYMMDDHH24');
        execute format('create table sample_parts.%I (like public.sample_hot including defaults including storage)
            with (autovacuum_vacuum_insert_scale_factor = 1)', part);
        execute format('alter table sample_parts.%I enable row level security', part);
        execute format('alter table sample_parts.%I force row level security', part);
        execute format('create index on sample_parts.%I (group_id, ts)', part);
        execute format('alter table public.sample_hot attach partition sample_parts.%I for values from (%L) to (%L)',
            part, first, past);
        insert into sample_partitions (name, starts_at, ends_at) values (part, first, past);
        made := made + 1;
    end loop;
    return made;
end $$
"""

DROP_PARTITIONS = """
create function watchfloor_drop_partitions(ended_before timestamptz) returns int
language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '2s' as $$
declare
    part text;
    dropped int := 0;
begin
    perform pg_advisory_xact_lock(hashtext('watchfloor partitions'));
    for part in select name from sample_partitions where ends_at <= ended_before order by starts_at loop
        execute format('drop table sample_parts.%I', part);
        delete from sample_partitions where name = part;
        dropped := dropped + 1;
    end loop;
    return dropped;
end $$
"""

FUNCTION_GRANTS = """
revoke all on function watchfloor_make_partitions(timestamptz[]), watchfloor_drop_partitions(timestamptz) from public;
grant execute on function watchfloor_make_partitions(timestamptz[]) to watchfloor_writer, watchfloor_worker;
grant execute on function watchfloor_drop_partitions(timestamptz) to watchfloor_worker;
"""
