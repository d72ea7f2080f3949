"""Budgets of a tenant, what was refused over time, alerts from outside, events and exemplars.

Why: every agent can write, so each tenant's share is bounded and what was not taken is shown; alerts that others raise
have no rule and end by their own clock; an event that is sent twice is kept once.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

MOMENT = postgresql.TIMESTAMP(timezone=True)
NOW = sa.text("now()")
BUDGETS = (
    ("burst_s", 30),
    ("new_series_per_min", 300_000),
    ("most_labels", 64),
    ("most_name_chars", 256),
    ("most_value_chars", 4_096),
    ("most_body_bytes", 32 * 1024 * 1024),
)


def upgrade() -> None:
    """Make the columns, tables, walls and grants."""
    for name, default in BUDGETS:
        op.add_column("tenants", sa.Column(name, sa.Integer(), server_default=str(default), nullable=False))
    op.add_column("rejected_samples", sa.Column("agent", sa.Text(), server_default="", nullable=False))
    op.add_column("alerts", sa.Column("source", sa.Text(), server_default="rule", nullable=False))
    op.add_column("alerts", sa.Column("ends_at", MOMENT, nullable=True))
    is_open = sa.text("source <> 'rule' and (state <> 'resolved' or is_held)")
    op.create_index(
        "alerts_received_idx",
        "alerts",
        ["tenant_id", "source", "fingerprint"],
        unique=True,
        postgresql_where=is_open,
    )
    _create_rejected_counts()
    _create_events()
    _create_exemplars()
    for table in ("rejected_counts", "events", "exemplars"):
        op.execute(f"select watchfloor_protect('{table}')")
    op.execute(GRANTS)


def downgrade() -> None:
    """Drop what upgrade() made."""
    op.execute("drop policy everything on alerts")
    op.execute("revoke select (id, tenant_id, source, state, is_held, ends_at) on alerts from watchfloor_platform")
    op.drop_table("exemplars")
    op.drop_table("events")
    op.drop_table("rejected_counts")
    op.drop_index("alerts_received_idx", "alerts")
    op.drop_column("alerts", "ends_at")
    op.drop_column("alerts", "source")
    op.drop_column("rejected_samples", "agent")
    for name, _default in BUDGETS:
        op.drop_column("tenants", name)


def _create_rejected_counts() -> None:
    op.create_table(
        "rejected_counts",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("bucket", MOMENT, nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("samples", sa.BigInteger(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("rejected_counts_tenant_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "bucket", "agent", "source", "reason", name=op.f("rejected_counts_pkey")),
    )


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("device_name", sa.Text(), nullable=False),
        sa.Column("interface_name", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("labels", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", MOMENT, server_default=NOW, nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("events_tenant_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("events_pkey")),
        sa.UniqueConstraint("tenant_id", "at", "digest", name=op.f("events_tenant_id_at_digest_key")),
    )
    op.create_index("events_device_idx", "events", ["tenant_id", "device_name", "at"])


def _create_exemplars() -> None:
    op.create_table(
        "exemplars",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("series", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("labels", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("exemplars_tenant_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("exemplars_pkey")),
        sa.UniqueConstraint("tenant_id", "digest", name=op.f("exemplars_tenant_id_digest_key")),
    )
    op.create_index("exemplars_recent_idx", "exemplars", ["tenant_id", "at"])


# The scheduler asks across tenants which alerts have run out; it sees when, and not what.
GRANTS = """
create policy everything on alerts for select to watchfloor_platform using (true);
grant select (id, tenant_id, source, state, is_held, ends_at) on alerts to watchfloor_platform;
"""
