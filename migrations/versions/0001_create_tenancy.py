"""Tenants, people, roles, sessions, tokens and the audit log.

Why: the wall between tenants stands before anything that needs it. `watchfloor_protect(table)` is how later
migrations put a table behind it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = ("tenants", "users", "memberships", "roles", "sessions", "tokens", "audit")


def upgrade() -> None:
    """Make the tables, their walls and their grants."""
    _create_tenants()
    _create_users()
    _create_memberships()
    _create_roles()
    _create_sessions()
    _create_tokens()
    _create_audit()
    op.execute(PROTECT)
    for table in ("memberships", "roles", "sessions", "tokens", "audit"):
        op.execute(f"select watchfloor_protect('{table}')")
    op.execute(GRANTS)


def downgrade() -> None:
    """Drop what upgrade() made."""
    op.execute("drop policy members on users")  # it reads memberships
    for table in reversed(TABLES):
        op.drop_table(table)
    op.execute("drop function watchfloor_protect(regclass)")


def _create_tenants() -> None:
    op.create_table(
        "tenants",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("accept_from", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("accept_late_s", sa.Integer(), server_default="604800", nullable=False),
        sa.Column("accept_ahead_s", sa.Integer(), server_default="600", nullable=False),
        sa.Column("samples_per_s", sa.Integer(), server_default="200000", nullable=False),
        sa.Column("active_series", sa.Integer(), server_default="2000000", nullable=False),
        sa.Column("raw_retention_days", sa.Integer(), server_default="15", nullable=False),
        sa.Column("settings", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("closed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("tenants_pkey")),
        sa.UniqueConstraint("name", name=op.f("tenants_name_key")),
    )


def _create_users() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("is_platform_admin", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("preferences", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("disabled_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("signed_in_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("users_pkey")),
        sa.UniqueConstraint("email", name=op.f("users_email_key")),
    )


def _create_memberships() -> None:
    op.create_table(
        "memberships",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("memberships_tenant_id_fkey"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("memberships_user_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "user_id", name=op.f("memberships_pkey")),
    )
    op.create_index(op.f("memberships_tenant_id_idx"), "memberships", ["tenant_id"], unique=False)
    op.create_index(op.f("memberships_user_id_idx"), "memberships", ["user_id"], unique=False)


def _create_roles() -> None:
    op.create_table(
        "roles",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("grants", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("roles_tenant_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "name", name=op.f("roles_pkey")),
    )
    op.create_index(op.f("roles_tenant_id_idx"), "roles", ["tenant_id"], unique=False)


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("csrf_token", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("user_agent", sa.Text(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("seen_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("revoked_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("sessions_tenant_id_fkey"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("sessions_user_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("sessions_pkey")),
        sa.UniqueConstraint("secret_hash", name=op.f("sessions_secret_hash_key")),
    )
    op.create_index(op.f("sessions_tenant_id_idx"), "sessions", ["tenant_id"], unique=False)
    op.create_index(op.f("sessions_user_id_idx"), "sessions", ["user_id"], unique=False)


def _create_tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("source_ranges", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("last_used_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("revoked_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("tokens_tenant_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("tokens_pkey")),
        sa.UniqueConstraint("secret_hash", name=op.f("tokens_secret_hash_key")),
    )
    op.create_index(op.f("tokens_tenant_id_idx"), "tokens", ["tenant_id"], unique=False)


def _create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("noun", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("after", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("audit_tenant_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("audit_pkey")),
    )
    op.create_index(op.f("audit_at_idx"), "audit", ["at"], unique=False)
    op.create_index(op.f("audit_tenant_id_idx"), "audit", ["tenant_id"], unique=False)


# Row-level security that also binds the owner, and the usual grants. The setting is read in a sub-select so that
# it is evaluated once for a statement and not once for a row. An unset tenant is an error, not an empty answer.
PROTECT = """
create function watchfloor_protect(target regclass) returns void language plpgsql as $$
begin
    execute format('alter table %s enable row level security', target);
    execute format('alter table %s force row level security', target);
    execute format('create policy tenant on %s to watchfloor_web, watchfloor_worker, current_user
        using (tenant_id = (select current_setting(''app.tenant'')::int))
        with check (tenant_id = (select current_setting(''app.tenant'')::int))', target);
    execute format('grant select, insert, update, delete on %s to watchfloor_web, watchfloor_worker', target);
end $$
"""

GRANTS = """
alter table tenants enable row level security;
alter table tenants force row level security;
create policy own on tenants to watchfloor_web, watchfloor_worker
    using (id = (select current_setting('app.tenant')::int));
create policy everything on tenants to watchfloor_platform, current_user using (true) with check (true);
grant select on tenants to watchfloor_web, watchfloor_worker;
grant select, insert, update, delete on tenants to watchfloor_platform;

alter table users enable row level security;
alter table users force row level security;
create policy members on users for select to watchfloor_web, watchfloor_worker
    using (exists (select from memberships m where m.user_id = users.id
                   and m.tenant_id = (select current_setting('app.tenant')::int)));
create policy everything on users to watchfloor_platform, current_user using (true) with check (true);
grant select (id, email, name, is_platform_admin, created_at, disabled_at, signed_in_at)
    on users to watchfloor_web, watchfloor_worker;
grant select, insert, update, delete on users to watchfloor_platform;

create policy everything on memberships to watchfloor_platform using (true) with check (true);
create policy everything on roles to watchfloor_platform using (true) with check (true);
create policy everything on sessions to watchfloor_platform using (true) with check (true);
create policy everything on tokens to watchfloor_platform using (true) with check (true);
create policy everything on audit to watchfloor_platform using (true) with check (true);
grant select, insert, update, delete on memberships, roles, sessions, tokens to watchfloor_platform;
grant select, insert on audit to watchfloor_platform;
revoke all on sessions from watchfloor_web, watchfloor_worker;
revoke update, delete on audit from watchfloor_web, watchfloor_worker;
revoke insert, update, delete on memberships, roles from watchfloor_web, watchfloor_worker;
revoke delete on tokens from watchfloor_web;
revoke all on tokens from watchfloor_worker;
"""
