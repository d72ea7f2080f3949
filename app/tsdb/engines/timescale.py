"""TimescaleDB, where the server has it: the time tables are hypertables, and a policy drops their chunks.

Same columns, same queries: what differs is who makes and drops the pieces of time. A chunk goes when it is over and
empty, so that the compactor, the archive and each tenant's term decide what is kept, here as everywhere. The samples
are packed already: its columnstore would gain nothing, and it refuses row-level security.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

# Table -> the column of time and the length of a chunk.
HYPERTABLES: Final = {
    "sample_hot": ("ts", "6 hours"),
    "sample_blocks": ("bucket", "7 days"),
    "sample_rollups": ("bucket", "90 days"),
}
POLICY: Final = "watchfloor_chunk_policy"
POLICY_EVERY: Final = "1 hour"

# Only a server that has preloaded it knows this setting. To make the extension in another one ends the connection.
_IS_THERE = text(
    "select exists (select from pg_available_extensions where name = 'timescaledb')"
    " and exists (select from pg_settings where name = 'timescaledb.max_background_workers')"
)
_IS_DONE = text("select exists (select from timescaledb_information.hypertables where hypertable_name = 'sample_hot')")

# A table that is partitioned cannot become a hypertable: another of the same shape takes its place and its rows.
_UNPARTITION: Final = """
alter table sample_hot rename to sample_hot_before;
alter index sample_hot_group_id_ts_idx rename to sample_hot_before_idx;
create table sample_hot (like sample_hot_before including defaults including storage);
create index sample_hot_group_id_ts_idx on sample_hot (group_id, ts);
"""
_FILL: Final = """
insert into sample_hot select * from sample_hot_before;
select watchfloor_protect('sample_hot');
revoke insert, update, delete on sample_hot from watchfloor_web;
revoke insert, update on sample_hot from watchfloor_worker;
grant insert on sample_hot to watchfloor_writer;
drop table sample_hot_before;
-- A chunk that TimescaleDB makes by itself, for a sample that came late, is seen at once.
drop table sample_partitions;
create view sample_partitions as
    select chunk_name as name, range_start as starts_at, range_end as ends_at
    from timescaledb_information.chunks where hypertable_schema = 'public' and hypertable_name = 'sample_hot';
grant select on sample_partitions to watchfloor_web, watchfloor_worker, watchfloor_writer;
"""
# The names under which the program makes and drops pieces of time stay; what they do is TimescaleDB's.
_FUNCTIONS: Final = """
-- A chunk inherits the grants of its table but not its policies: without this a role could read around the wall.
create function watchfloor_tend_chunks() returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    chunk record;
begin
    for chunk in
        select c.oid::regclass as name
        from timescaledb_information.chunks t
        join pg_namespace n on n.nspname = t.chunk_schema
        join pg_class c on c.relnamespace = n.oid and c.relname = t.chunk_name
        where exists (select from aclexplode(c.relacl) a where a.grantee <> c.relowner)
    loop
        execute format('revoke all on %s from watchfloor_web, watchfloor_worker, watchfloor_writer,'
            ' watchfloor_platform', chunk.name);
    end loop;
end $$;
revoke all on function watchfloor_tend_chunks() from public;

create function watchfloor_drop_empty_chunks(hypertable regclass, ended_before timestamptz) returns int
language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '2s' as $$
declare
    chunk record;
    is_used boolean;
    dropped int := 0;
begin
    for chunk in
        select c.chunk_schema, c.chunk_name, c.range_start, c.range_end
        from timescaledb_information.chunks c
        where format('%I.%I', c.hypertable_schema, c.hypertable_name)::regclass = hypertable
            and c.range_end <= ended_before
        order by c.range_start
    loop
        -- First the table, as readers do; whoever wants to write into the chunk waits, and makes another.
        execute format('lock table only %s in access exclusive mode', hypertable);
        execute format('select exists (select from %I.%I)', chunk.chunk_schema, chunk.chunk_name) into is_used;
        if not is_used then
            perform drop_chunks(hypertable, older_than => chunk.range_end, newer_than => chunk.range_start);
            dropped := dropped + 1;
        end if;
    end loop;
    perform watchfloor_tend_chunks();
    return dropped;
end $$;
revoke all on function watchfloor_drop_empty_chunks(regclass, timestamptz) from public;

create or replace function watchfloor_make_partitions(moments timestamptz[]) returns int
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    step constant bigint := 21600000000;
    first bigint;
    made int;
begin
    perform pg_advisory_xact_lock(hashtext('watchfloor partitions'));
    select count(*) into made from timescaledb_information.chunks where hypertable_name = 'sample_hot';
    foreach first in array array(
        select distinct floor(extract(epoch from m) * 1000000 / step)::bigint * step from unnest(moments) m
    ) loop
        perform _timescaledb_functions.create_chunk('public.sample_hot',
            jsonb_build_object('ts', jsonb_build_array(first, first + step)));
    end loop;
    perform watchfloor_tend_chunks();
    return (select count(*) from timescaledb_information.chunks where hypertable_name = 'sample_hot') - made;
end $$;

create or replace function watchfloor_drop_partitions(ended_before timestamptz) returns int
language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '2s' as $$
declare
    dropped int;
begin
    select count(*) into dropped from drop_chunks('public.sample_hot', older_than => ended_before);
    perform watchfloor_tend_chunks();
    return dropped;
end $$;

create or replace function watchfloor_drop_empty_partitions(ended_before timestamptz) returns int
language sql security definer set search_path = public, pg_temp set lock_timeout = '2s' as $$
    select watchfloor_drop_empty_chunks('public.sample_hot', ended_before)
$$;

create procedure watchfloor_chunk_policy(job_id int, config jsonb)
language plpgsql as $$
begin
    perform watchfloor_drop_empty_chunks('public.sample_hot', now() - interval '1 day');
    perform watchfloor_drop_empty_chunks('public.sample_blocks', now() - interval '1 day');
    perform watchfloor_drop_empty_chunks('public.sample_rollups', now() - interval '1 day');
end $$;
"""


def adopt(connection: Connection) -> bool:
    """As the owner, after the migrations: use TimescaleDB if it is there; answers whether it is used.

    Moves the samples that are there already: the hours that are not compacted yet, so minutes at most.
    """
    if not connection.scalar(_IS_THERE):
        return False
    try:
        with connection.begin_nested():
            connection.execute(text("create extension if not exists timescaledb"))
    except DBAPIError:  # not for this login: plain Postgres serves as well
        return False
    if connection.scalar(_IS_DONE):
        return True
    for statements in ("set local statement_timeout = 0", _UNPARTITION):
        connection.execute(text(statements))
    for table, (column, interval) in HYPERTABLES.items():
        connection.execute(
            text(
                "select create_hypertable(cast(:table as regclass), by_range(cast(:column as name), cast(:step as"
                " interval)), create_default_indexes => false, migrate_data => true)"
            ),
            {"table": table, "column": column, "step": interval},
        )
    connection.execute(text(_FILL))
    connection.execute(text(_FUNCTIONS))
    connection.execute(
        text("select add_job(cast(:policy as regproc), cast(:every as interval))"),
        {"policy": POLICY, "every": POLICY_EVERY},
    )
    return True
