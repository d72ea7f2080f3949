"""Citus, where the database is a coordinator with nodes: samples, blocks and rollups lie on them, by group.

Same columns, same queries. A group's hot rows, blocks and rollups share a node, so that what one statement sees of a
group is one view. The catalogue and everything else stays on the coordinator, which therefore never joins the two:
what is known of groups travels to the samples as an array.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, text

TABLES: Final = ("sample_hot", "sample_blocks", "sample_rollups")

_IS_THERE = text("select exists (select from pg_extension where extname = 'citus')")
_HAS_NODES = text("select exists (select from pg_dist_node where shouldhaveshards and isactive)")
_IS_DONE = text("select exists (select from pg_dist_partition where logicalrelid = 'sample_hot'::regclass)")
_DISTRIBUTE = text("select create_distributed_table(cast(:table as regclass), 'group_id', colocate_with => :beside)")

# Nodes learn of the tenant by the commands of a transaction. Policies with a sub-select are refused for these tables.
_TENANT: Final = """
do $$ begin
    execute format('alter database %I set citus.propagate_set_commands = ''local''', current_database());
end $$;
"""
_POLICY: Final = """
drop policy tenant on {table};
create policy tenant on {table} to watchfloor_web, watchfloor_worker, current_user
    using (tenant_id = current_setting('app.tenant')::int)
    with check (tenant_id = current_setting('app.tenant')::int);
"""
# What plain Postgres finds by one look into an index for each group, nodes find by reading what they have.
_FUNCTIONS: Final = """
create or replace function watchfloor_groups_with_samples(
    for_tenant int, ids int[], from_at timestamptz, to_at timestamptz
) returns setof int language plpgsql stable as $$
begin
    return query
        select distinct h.group_id from sample_hot h
            where h.tenant_id = for_tenant and h.group_id = any(ids) and h.ts >= from_at and h.ts <= to_at
        union select distinct b.group_id from sample_blocks b
            where b.tenant_id = for_tenant and b.group_id = any(ids)
                and b.bucket >= from_at - interval '6 hours' and b.bucket < to_at
                and b.first_ts <= to_at and b.last_ts >= from_at
        union select distinct r.group_id from sample_rollups r
            where r.tenant_id = for_tenant and r.group_id = any(ids) and r.tier = 86400
                and r.bucket >= from_at - interval '30 days' and r.bucket < to_at
                and r.first_ts <= to_at and r.last_ts >= from_at;
end $$;
create or replace function watchfloor_hot_span(for_tenant int)
returns table (first_at timestamptz, last_at timestamptz) language plpgsql stable as $$
begin
    return query select min(h.ts), max(h.ts) from sample_hot h where h.tenant_id = for_tenant;
end $$;
-- Rows without a column cannot be passed on between nodes.
do $$ begin
    execute replace(pg_get_functiondef('watchfloor_drop_empty_partitions(timestamptz)'::regprocedure),
        'exists (select from sample_parts', 'exists (select 1 from sample_parts');
end $$;
"""


def adopt(connection: Connection) -> bool:
    """As the owner, after the migrations: lay the tables of samples over the nodes; answers whether they are.

    What is in the tables already moves along. Nodes that are added later get their share by Citus's own rebalancer.
    """
    if not connection.scalar(_IS_THERE) or not connection.scalar(_HAS_NODES):
        return False
    if connection.scalar(_IS_DONE):
        return True
    connection.execute(text("set local statement_timeout = 0"))
    for table in TABLES:
        connection.execute(text(_POLICY.format(table=table)))
        beside = "none" if table == TABLES[0] else TABLES[0]
        connection.execute(_DISTRIBUTE, {"table": table, "beside": beside})
    connection.execute(text(_TENANT))
    connection.execute(text(_FUNCTIONS))
    return True
