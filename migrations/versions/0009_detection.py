"""What detection keeps: how far each group is scored, the scores, the anomalies, and rules that watch them.

Why: every series is scored online from the store. A cycle writes scores, anomalies, alerts and how far it came in one
transaction, so that a crash loses and doubles nothing; the state of the detectors follows in turn.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

MOMENT = postgresql.TIMESTAMP(timezone=True)
TABLES = ("detector_states", "anomaly_scores", "anomalies")


def upgrade() -> None:
    """Make the columns, tables, walls and grants."""
    op.add_column("rules", sa.Column("kind", sa.Text(), server_default="promql", nullable=False))
    op.add_column(
        "rules",
        sa.Column("criteria", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
    )
    op.create_table(
        "detector_states",
        *_place(),
        sa.Column("scored_to", MOMENT, nullable=False),
        sa.Column("state_to", MOMENT, nullable=True),
        sa.Column("slots", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("checksum", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "group_id", name=op.f("detector_states_pkey")),
    )
    op.create_table(
        "anomaly_scores",
        *_place(),
        sa.Column("ts", MOMENT, nullable=False),
        sa.Column("scores", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "group_id", "ts", name=op.f("anomaly_scores_pkey")),
    )
    op.create_index("anomaly_scores_ts_idx", "anomaly_scores", ["tenant_id", "ts"], postgresql_using="brin")
    _create_anomalies()
    for table in TABLES:
        op.execute(f"select watchfloor_protect('{table}')")
    # What is packed already is not worth a second try.
    op.execute("alter table detector_states alter column state set storage external")
    op.execute("revoke insert, update, delete on detector_states, anomaly_scores from watchfloor_web")


def downgrade() -> None:
    """Drop what upgrade() made."""
    for table in reversed(TABLES):
        op.drop_table(table)
    op.drop_column("rules", "criteria")
    op.drop_column("rules", "kind")


def _place() -> tuple[sa.Column[int], ...]:
    return (
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("group_id", sa.Integer(), nullable=False),
    )


def _create_anomalies() -> None:
    op.create_table(
        "anomalies",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("slot", sa.SmallInteger(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("labels", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("device_name", sa.Text(), server_default="", nullable=False),
        sa.Column("interface_name", sa.Text(), server_default="", nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.Column("peak_at", MOMENT, nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("is_rate", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("expected_lo", sa.Double(), nullable=True),
        sa.Column("expected_hi", sa.Double(), nullable=True),
        sa.Column("nearest", sa.Double(), nullable=True),
        sa.Column("view", sa.SmallInteger(), nullable=False),
        sa.Column("points", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("anomalies_tenant_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("anomalies_pkey")),
        sa.UniqueConstraint(
            "tenant_id", "group_id", "slot", "started_at", name=op.f("anomalies_tenant_id_group_id_slot_started_at_key")
        ),
    )
    op.create_index("anomalies_recent_idx", "anomalies", ["tenant_id", "started_at"])
    op.create_index("anomalies_device_idx", "anomalies", ["tenant_id", "device_name", "started_at"])
