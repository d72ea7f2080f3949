"""Series that are gone leave the catalogue, and the budget of series counts those that get samples.

Why: the catalogue only grew, so a tenant whose devices come and go ran into its limit with series that no longer are.
A series of which nothing is left is marked, and goes only when no process can still send samples under its place; one
that comes back before that is unmarked. Which series got a sample in an hour is one bit each.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

MOMENT = postgresql.TIMESTAMP(timezone=True)
NOW = sa.text("now()")
TENANT = ["tenants.id"]


def upgrade() -> None:
    """Make the column, tables, walls, grants and functions."""
    op.add_column("series", sa.Column("retired_at", MOMENT, nullable=True))
    op.create_index("series_retired_idx", "series", ["tenant_id"], postgresql_where=sa.text("retired_at is not null"))
    # As with samples, no row of it hangs on the tenant's: a sample must not be refused because of its bit.
    op.create_table(
        "series_active",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("hour", MOMENT, nullable=False),
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("slots", postgresql.BIT(240), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "hour", "group_id", name=op.f("series_active_pkey")),
    )
    op.create_table(
        "series_purges",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("series", sa.Integer(), nullable=False),
        sa.Column("groups", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], TENANT, name=op.f("series_purges_tenant_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("series_purges_pkey")),
    )
    op.create_index("series_purges_newest_idx", "series_purges", ["tenant_id", "id"])
    op.execute("select watchfloor_protect('series_active')")
    op.execute("select watchfloor_protect('series_purges')")
    op.execute("grant select, insert, update on series_active to watchfloor_writer")
    op.execute(COUNT_ACTIVE)
    op.execute(REGISTER_SERIES)


def downgrade() -> None:
    """Drop what upgrade() made; what it put in the place of a function is put back."""
    op.execute(REGISTER_SERIES_BEFORE)
    op.execute("drop function watchfloor_active_series(int)")
    op.drop_table("series_purges")
    op.drop_table("series_active")
    op.drop_index("series_retired_idx", "series")
    op.drop_column("series", "retired_at")


# This hour and the two before it: the last two to three hours.
COUNT_ACTIVE = """
create function watchfloor_active_series(for_tenant int) returns bigint language sql stable as $$
    select coalesce(sum(bit_count(g.slots)), 0)::bigint from (
        select bit_or(a.slots) as slots from series_active a
        where a.tenant_id = for_tenant and a.hour > now() - interval '3 hours' group by a.group_id
    ) g
$$
"""

# As in 0002, with three differences: a series that was marked is unmarked, what is asked for counts as active, and the
# limit is of active series (and, so that the catalogue has a bound as well, ten times as many of all). Slots given away
# are more than both, so where those are below the limit nothing needs to be counted.
_REGISTER_SERIES = """
create or replace function watchfloor_register_series(
    for_tenant int, new_keys bytea[], new_labels text[], group_keys text[]
) returns table (series_key bytea, place bigint) language plpgsql as $$
<declare>begin
    perform pg_advisory_xact_lock(hashtext('watchfloor series'), for_tenant);
    <before>with wanted as (
        select w.*, row_number() over (order by w.n) as nth_new
        from unnest(new_keys, new_labels, group_keys) with ordinality as w(key, labels, group_key, n)
        where not exists (select from series s where s.tenant_id = for_tenant and sha256(s.key) = sha256(w.key))
    ), room as (
        <room>
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
    <after>return query
        select s.key, s.group_id::bigint * 256 + s.slot
        from unnest(new_keys) as k(key)
        join series s on s.tenant_id = for_tenant and sha256(s.key) = sha256(k.key);
end $$
"""
_DECLARE = """declare
    most bigint := (select t.active_series from tenants t where t.id = for_tenant);
    room_left bigint;
"""
_BEFORE = """room_left := most
        - coalesce((select sum(g.slots) from series_groups g where g.tenant_id = for_tenant), 0);
    if room_left < cardinality(new_keys) then
        room_left := least(most - watchfloor_active_series(for_tenant),
            10 * most - (select count(*) from series s where s.tenant_id = for_tenant));
    end if;
    update series s set retired_at = null from unnest(new_keys) as k(key)
        where s.tenant_id = for_tenant and sha256(s.key) = sha256(k.key) and s.retired_at is not null;
    """
# In the order of the primary key, as the drain writes them.
_AFTER = """insert into series_active as a (tenant_id, hour, group_id, slots)
        select for_tenant, date_trunc('hour', now()), s.group_id, bit_or(set_bit(0::bit(240), s.slot, 1))
        from unnest(new_keys) as k(key)
        join series s on s.tenant_id = for_tenant and sha256(s.key) = sha256(k.key)
        group by s.group_id order by s.group_id
        on conflict (tenant_id, hour, group_id) do update set slots = a.slots | excluded.slots;
    """
_ROOM_BEFORE = """select t.active_series
            - coalesce((select sum(g.slots) from series_groups g where g.tenant_id = for_tenant), 0) as left_over
        from tenants t where t.id = for_tenant"""


def _function(declare: str, before: str, room: str, after: str) -> str:
    parts = {"<declare>": declare, "<before>": before, "<room>": room, "<after>": after}
    statement = _REGISTER_SERIES
    for place, part in parts.items():
        statement = statement.replace(place, part)
    return statement


REGISTER_SERIES = _function(_DECLARE, _BEFORE, "select room_left as left_over", _AFTER)
REGISTER_SERIES_BEFORE = _function("", "", _ROOM_BEFORE, "")
