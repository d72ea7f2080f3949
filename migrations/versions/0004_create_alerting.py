"""Rules, alerts, timelines, channels and the outbox.

Why: a transition, its timeline entry and its deliveries are written in one transaction.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = ("rule_groups", "rules", "channels", "alerts", "alert_events", "deliveries")


def upgrade() -> None:
    """Make the tables, their walls and their grants."""
    _create_rule_groups()
    _create_rules()
    _create_channels()
    _create_alerts()
    _create_alert_events()
    _create_deliveries()
    for table in TABLES:
        op.execute(f"select watchfloor_protect('{table}')")
    op.execute(GRANTS)


def downgrade() -> None:
    """Drop what upgrade() made."""
    for table in reversed(TABLES):
        op.drop_table(table)


def _create_rule_groups() -> None:
    op.create_table(
        "rule_groups",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("interval_s", sa.Integer(), server_default="15", nullable=False),
        sa.Column("slot_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("evaluated_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("duration_s", sa.Double(), nullable=True),
        sa.Column("missed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("rule_groups_tenant_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("rule_groups_pkey")),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("rule_groups_tenant_id_name_key")),
    )
    op.create_index(op.f("rule_groups_tenant_id_idx"), "rule_groups", ["tenant_id"], unique=False)


def _create_rules() -> None:
    op.create_table(
        "rules",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), server_default="0", nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("expr", sa.Text(), nullable=False),
        sa.Column("for_s", sa.Double(), server_default="0", nullable=False),
        sa.Column("keep_firing_for_s", sa.Double(), server_default="0", nullable=False),
        sa.Column("severity", sa.Text(), server_default="warning", nullable=False),
        sa.Column("alert_class", sa.Text(), server_default="other", nullable=False),
        sa.Column("labels", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("annotations", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("is_enabled", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("health", sa.Text(), server_default="unknown", nullable=False),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.Column("evaluated_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("duration_s", sa.Double(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("changed_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["rule_groups.id"], name=op.f("rules_group_id_fkey"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("rules_tenant_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("rules_pkey")),
        sa.UniqueConstraint("group_id", "name", name=op.f("rules_group_id_name_key")),
    )
    op.create_index(op.f("rules_tenant_id_idx"), "rules", ["tenant_id"], unique=False)


def _create_channels() -> None:
    op.create_table(
        "channels",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("config", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=True),
        sa.Column("min_severity", sa.Text(), server_default="warning", nullable=False),
        sa.Column("send_resolved", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("is_enabled", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("changed_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("channels_tenant_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("channels_pkey")),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("channels_tenant_id_name_key")),
    )
    op.create_index(op.f("channels_tenant_id_idx"), "channels", ["tenant_id"], unique=False)


def _create_alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("rule_id", sa.Integer(), nullable=True),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("alert_class", sa.Text(), server_default="other", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("labels", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("annotations", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("device_id", sa.Integer(), nullable=True),
        sa.Column("device_name", sa.Text(), server_default="", nullable=False),
        sa.Column("interface_name", sa.Text(), server_default="", nullable=False),
        sa.Column("site_name", sa.Text(), server_default="", nullable=False),
        sa.Column("active_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("fired_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("keep_firing_since", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("resolved_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("resolved_by", sa.Text(), server_default="", nullable=False),
        sa.Column("is_held", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("evaluated_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("acknowledged_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("acknowledged_by", sa.Text(), server_default="", nullable=False),
        sa.Column("assigned_to", sa.Integer(), nullable=True),
        sa.Column("assigned_name", sa.Text(), server_default="", nullable=False),
        sa.Column("snoozed_until", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(
            ["assigned_to"], ["users.id"], name=op.f("alerts_assigned_to_fkey"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name=op.f("alerts_device_id_fkey"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["rule_id"], ["rules.id"], name=op.f("alerts_rule_id_fkey"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("alerts_tenant_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("alerts_pkey")),
    )
    op.create_index(op.f("alerts_device_id_idx"), "alerts", ["device_id"], unique=False)
    op.create_index(
        "alerts_open_idx",
        "alerts",
        ["tenant_id", "rule_id", "fingerprint"],
        unique=True,
        postgresql_where=sa.text("state <> 'resolved' or is_held"),
    )
    op.create_index("alerts_recent_idx", "alerts", ["tenant_id", "fired_at"], unique=False)
    op.create_index(op.f("alerts_rule_id_idx"), "alerts", ["rule_id"], unique=False)
    op.create_index(op.f("alerts_tenant_id_idx"), "alerts", ["tenant_id"], unique=False)


def _create_alert_events() -> None:
    op.create_table(
        "alert_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("alert_id", sa.BigInteger(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), server_default="", nullable=False),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name=op.f("alert_events_alert_id_fkey"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("alert_events_tenant_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("alert_events_pkey")),
    )
    op.create_index(op.f("alert_events_alert_id_idx"), "alert_events", ["alert_id"], unique=False)
    op.create_index(op.f("alert_events_tenant_id_idx"), "alert_events", ["tenant_id"], unique=False)


def _create_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("channel_id", sa.Integer(), nullable=False),
        sa.Column("alert_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("lease_until", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("answer", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("sent_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name=op.f("deliveries_alert_id_fkey"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name=op.f("deliveries_channel_id_fkey"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("deliveries_tenant_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("deliveries_pkey")),
        sa.UniqueConstraint("channel_id", "key", name=op.f("deliveries_channel_id_key_key")),
    )
    op.create_index(op.f("deliveries_alert_id_idx"), "deliveries", ["alert_id"], unique=False)
    op.create_index(
        "deliveries_due_idx", "deliveries", ["due_at"], unique=False, postgresql_where=sa.text("state = 'queued'")
    )
    op.create_index(op.f("deliveries_tenant_id_idx"), "deliveries", ["tenant_id"], unique=False)


# The scheduler asks across tenants what is due; it sees when, and not what.
GRANTS = """
create policy everything on rule_groups for select to watchfloor_platform using (true);
create policy everything on deliveries for select to watchfloor_platform using (true);
grant usage on sequence alerts_id_seq to watchfloor_web, watchfloor_worker;
grant select (id, tenant_id, interval_s, slot_at) on rule_groups to watchfloor_platform;
grant select (id, tenant_id, state, due_at, lease_until) on deliveries to watchfloor_platform;
"""
