"""What people say of anomalies: expected or real, and the tenant's multiplier that it moves.

Why: a verdict keeps a stretch of a series out of training or in it, and makes detection ask for more or for less. It
can be undone, so rows stay and say how far each moved the multiplier.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

MOMENT = postgresql.TIMESTAMP(timezone=True)
TABLES = ("feedback_marks", "detection_settings")


def upgrade() -> None:
    """Make the tables, walls and grants."""
    op.create_table(
        "feedback_marks",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("anomaly_id", sa.BigInteger(), nullable=True),
        sa.Column("alert_id", sa.BigInteger(), nullable=True),
        sa.Column("labels", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("start_at", MOMENT, nullable=False),
        sa.Column("end_at", MOMENT, nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("step", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("undone_by", sa.Text(), server_default="", nullable=False),
        sa.Column("undone_at", MOMENT, nullable=True),
        _tenant("feedback_marks"),
        sa.PrimaryKeyConstraint("id", name=op.f("feedback_marks_pkey")),
    )
    op.create_index("feedback_marks_time_idx", "feedback_marks", ["tenant_id", "start_at"])
    op.create_index("feedback_marks_anomaly_idx", "feedback_marks", ["tenant_id", "anomaly_id"])
    op.create_index("feedback_marks_alert_idx", "feedback_marks", ["tenant_id", "alert_id"])
    op.create_table(
        "detection_settings",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("steps", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        _tenant("detection_settings"),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("detection_settings_pkey")),
    )
    for table in TABLES:
        op.execute(f"select watchfloor_protect('{table}')")


def downgrade() -> None:
    """Drop what upgrade() made."""
    for table in reversed(TABLES):
        op.drop_table(table)


def _tenant(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"{table}_tenant_id_fkey")
    return sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=name, ondelete="CASCADE")
