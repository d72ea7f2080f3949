"""Terms of every tier, the archive of raw samples, and the erasure of a tenant.

Why: each tenant decides how long each resolution stays; raw hours leave the database only once a verified copy lies in
the object store, and the list of those copies is what makes one visible. The running roles own no table, so what erases
a tenant is a function; erasures outlive the tenants they tell of.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

MOMENT = postgresql.TIMESTAMP(timezone=True)
NOW = sa.text("now()")
COUNTS = postgresql.JSONB(astext_type=sa.Text())
TERMS = (("retention_5m_days", 90), ("retention_1h_days", 730), ("retention_1d_days", 3650), ("archive_days", 3650))


def upgrade() -> None:
    """Make the columns, tables, walls, grants and functions."""
    for name, default in TERMS:
        op.add_column("tenants", sa.Column(name, sa.Integer(), server_default=str(default), nullable=False))
    op.create_table(
        "archives",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("bucket", MOMENT, nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("series", sa.Integer(), nullable=False),
        sa.Column("samples", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("checksum", sa.Text(), nullable=False),
        sa.Column("first_ts", MOMENT, nullable=False),
        sa.Column("last_ts", MOMENT, nullable=False),
        sa.Column("archived_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("restored_at", MOMENT, nullable=True),
        sa.Column("restored_until", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("archives_tenant_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("archives_pkey")),
        sa.UniqueConstraint("tenant_id", "bucket", name=op.f("archives_tenant_id_bucket_key")),
    )
    op.execute("select watchfloor_protect('archives')")
    op.execute("revoke insert, update, delete on archives from watchfloor_web")
    op.create_table(
        "erasures",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("erased_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("requested_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.Column("before", COUNTS, server_default="{}", nullable=False),
        sa.Column("after", COUNTS, server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("erasures_pkey")),
    )
    op.execute(ERASURES_WALL)
    op.execute(COUNT)
    op.execute(ERASE)


def downgrade() -> None:
    """Drop what upgrade() made. Objects of the archive stay in the object store, without their list."""
    op.execute("drop function watchfloor_erase_tenant(int)")
    op.execute("drop function watchfloor_tenant_rows(int)")
    op.drop_table("erasures")
    op.drop_table("archives")
    for name, _default in TERMS:
        op.drop_column("tenants", name)


# Every table that carries a tenant is found by its column, so that one made later is not forgotten.
COUNT = """
create function watchfloor_tenant_rows(for_tenant int) returns table (name text, row_count bigint)
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    found text;
begin
    perform set_config('app.tenant', for_tenant::text, true);
    for found in
        select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
            and a.attname = 'tenant_id' and not a.attisdropped
        order by 1
    loop
        name := found;
        execute format('select count(*) from public.%I where tenant_id = $1', found) into row_count using for_tenant;
        return next;
    end loop;
    name := 'tenants';
    row_count := (select count(*) from tenants t where t.id = for_tenant);
    return next;
end $$;
revoke all on function watchfloor_tenant_rows(int) from public;
grant execute on function watchfloor_tenant_rows(int) to watchfloor_platform;
"""

# What hangs on the tenant's row goes with it; samples do not hang on it.
ERASE = """
create function watchfloor_erase_tenant(for_tenant int) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    found text;
begin
    if exists (select from tenants t where t.id = for_tenant and t.closed_at is null) then
        raise exception 'the tenant is open';
    end if;
    perform set_config('app.tenant', for_tenant::text, true);
    for found in
        select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
            and a.attname = 'tenant_id' and not a.attisdropped
            and not exists (select from pg_constraint f where f.conrelid = c.oid and f.contype = 'f'
                            and f.confrelid = 'public.tenants'::regclass and f.confdeltype = 'c')
    loop
        execute format('delete from public.%I where tenant_id = $1', found) using for_tenant;
    end loop;
    delete from tenants t where t.id = for_tenant;
end $$;
revoke all on function watchfloor_erase_tenant(int) from public;
grant execute on function watchfloor_erase_tenant(int) to watchfloor_platform;
"""

# They tell of tenants to platform admins alone, and outlive them.
ERASURES_WALL = """
alter table erasures enable row level security;
alter table erasures force row level security;
create policy everything on erasures to watchfloor_platform, current_user using (true) with check (true);
grant select, insert, update on erasures to watchfloor_platform;
"""
