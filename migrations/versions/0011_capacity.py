"""What capacity planning keeps: use by day, when each thing is expected to be full, and what was said before.

Why: "full in N days" is a chance and not a date, so what was said is kept and compared with what came.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

MOMENT = postgresql.TIMESTAMP(timezone=True)
TABLES = ("capacity_runs", "capacity_items", "capacity_predictions")


def upgrade() -> None:
    """Make the tables, walls and grants."""
    _create_runs()
    _create_items()
    _create_predictions()
    for table in TABLES:
        op.execute(f"select watchfloor_protect('{table}')")
    # People set thresholds; the rest is computed.
    op.execute("revoke insert, update, delete on capacity_runs, capacity_predictions from watchfloor_web")
    op.execute("revoke insert, delete on capacity_items from watchfloor_web")


def downgrade() -> None:
    """Drop what upgrade() made."""
    for table in reversed(TABLES):
        op.drop_table(table)


def _create_runs() -> None:
    op.create_table(
        "capacity_runs",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("ran_at", MOMENT, nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("rollups", sa.BigInteger(), nullable=False),
        sa.Column("items", sa.Integer(), nullable=False),
        sa.Column("idle", sa.Integer(), nullable=False),
        sa.Column("duration_s", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("capacity_runs_tenant_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("capacity_runs_pkey")),
    )


def _create_items() -> None:
    op.create_table(
        "capacity_items",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("device_name", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), server_default="", nullable=False),
        sa.Column("labels", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("size", sa.Float(), nullable=False),
        sa.Column("threshold", sa.Float(), nullable=False),
        sa.Column("is_own_threshold", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("daily", sa.LargeBinary(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("missing_days", sa.Integer(), nullable=False),
        *(
            sa.Column(name, sa.Float(), nullable=True)
            for name in ("now", "per_week", "p30", "p90", "p180", "d10", "d50", "d90")
        ),
        sa.Column("chances", sa.LargeBinary(), nullable=True),
        sa.Column("error", sa.Float(), nullable=True),
        sa.Column("naive_error", sa.Float(), nullable=True),
        sa.Column("rank", sa.Float(), nullable=False),
        sa.Column("computed_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("capacity_items_tenant_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("capacity_items_pkey")),
        sa.UniqueConstraint(
            "tenant_id",
            "kind",
            "device_name",
            "object",
            name=op.f("capacity_items_tenant_id_kind_device_name_object_key"),
        ),
    )
    op.create_index("capacity_items_rank_idx", "capacity_items", ["tenant_id", "rank", "id"])


def _create_predictions() -> None:
    op.create_table(
        "capacity_predictions",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("said_on", sa.Date(), nullable=False),
        sa.Column("is_backtest", sa.Boolean(), nullable=False),
        *(sa.Column(name, sa.Float(), nullable=False) for name in ("threshold", "now", "in30", "p30", "p90", "p180")),
        *(sa.Column(name, sa.Float(), nullable=True) for name in ("d10", "d50", "d90", "came30")),
        sa.Column("full_after", sa.Integer(), nullable=True),
        sa.Column("known_days", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["item_id"],
            ["capacity_items.id"],
            name=op.f("capacity_predictions_item_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "item_id", "said_on", name=op.f("capacity_predictions_pkey")),
    )
    op.create_index(op.f("capacity_predictions_item_id_idx"), "capacity_predictions", ["item_id"])
