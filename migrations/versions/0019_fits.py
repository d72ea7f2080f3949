"""What auto_arima came to for each pinned series.

Why: whoever pins a series wants to see its orders, its error and what went wrong; and a series that it was tried for in
vain is not tried again before the next run.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

MOMENT = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    """Make the table, its wall and grants."""
    op.create_table(
        "forecast_fits",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("slot", sa.SmallInteger(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("fitted_at", MOMENT, nullable=False),
        sa.Column("orders", sa.Text(), nullable=False),
        sa.Column("ratio", sa.Double(), nullable=True),
        sa.Column("is_better", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("forecast_fits_tenant_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "group_id", "slot", name=op.f("forecast_fits_pkey")),
    )
    op.execute("select watchfloor_protect('forecast_fits')")


def downgrade() -> None:
    """Drop what upgrade() made."""
    op.drop_table("forecast_fits")
