"""Two questions about samples as functions.

Why: plain Postgres answers them by one look into an index for each group, which a server that has the samples on
several nodes cannot; it puts its own answers in their place.
"""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

GROUPS_WITH_SAMPLES = """
create function watchfloor_groups_with_samples(for_tenant int, ids int[], from_at timestamptz, to_at timestamptz)
returns setof int language plpgsql stable set plan_cache_mode = force_custom_plan as $$
begin
    return query select g.id from unnest(ids) as g(id)
        where exists (select from sample_hot h
                where h.tenant_id = for_tenant and h.group_id = g.id and h.ts >= from_at and h.ts <= to_at)
            or exists (select from sample_blocks b
                where b.tenant_id = for_tenant and b.group_id = g.id
                    and b.bucket >= from_at - interval '6 hours' and b.bucket < to_at
                    and b.first_ts <= to_at and b.last_ts >= from_at)
            or exists (select from sample_rollups r
                where r.tenant_id = for_tenant and r.group_id = g.id and r.tier = 86400
                    and r.bucket >= from_at - interval '30 days' and r.bucket < to_at
                    and r.first_ts <= to_at and r.last_ts >= from_at);
end $$
"""

HOT_SPAN = """
create function watchfloor_hot_span(for_tenant int)
returns table (first_at timestamptz, last_at timestamptz)
language plpgsql stable set plan_cache_mode = force_custom_plan as $$
begin
    -- Uses the index (group_id, ts) of each partition.
    return query select min(h.first), max(h.last) from series_groups g cross join lateral
        (select min(s.ts) as first, max(s.ts) as last from sample_hot s
            where s.group_id = g.id and s.tenant_id = for_tenant) h
        where g.tenant_id = for_tenant;
end $$
"""


def upgrade() -> None:
    """Make both; they run with the rights of whoever asks."""
    op.execute(GROUPS_WITH_SAMPLES)
    op.execute(HOT_SPAN)


def downgrade() -> None:
    """Drop both."""
    op.execute("drop function watchfloor_groups_with_samples(int, int[], timestamptz, timestamptz)")
    op.execute("drop function watchfloor_hot_span(int)")
