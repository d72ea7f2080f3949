"""What forecasting keeps: forecasts of each group's series, and how good past ones were.

Why: charts and PromQL read forecasts without a model, ranges are set right by what came since, and how often they hold
is a published figure of each tenant.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

MOMENT = postgresql.TIMESTAMP(timezone=True)
TABLES = ("forecasts", "forecast_quality")


def upgrade() -> None:
    """Make the tables, walls and grants."""
    op.create_table(
        "forecasts",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("series", sa.SmallInteger(), nullable=False),
        sa.Column("lacking", sa.SmallInteger(), nullable=False),
        sa.Column("checksum", sa.BigInteger(), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "group_id", "made_at", name=op.f("forecasts_pkey")),
    )
    op.create_index("forecasts_made_idx", "forecasts", ["tenant_id", "made_at"])
    op.create_table(
        "forecast_quality",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("is_backtest", sa.Boolean(), nullable=False),
        sa.Column("series", sa.Integer(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("inside80", sa.BigInteger(), nullable=False),
        sa.Column("inside95", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.Double(), nullable=False),
        sa.Column("naive_error", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "family", "made_at", "is_backtest", name=op.f("forecast_quality_pkey")),
    )
    for table in TABLES:
        op.execute(f"select watchfloor_protect('{table}')")
    # What is packed already is not worth a second try.
    op.execute("alter table forecasts alter column packed set storage external")
    op.execute("revoke insert, update, delete on forecasts, forecast_quality from watchfloor_web")


def downgrade() -> None:
    """Drop what upgrade() made."""
    for table in reversed(TABLES):
        op.drop_table(table)
