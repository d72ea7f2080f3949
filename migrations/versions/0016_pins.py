"""Series that people want forecast by auto_arima.

Why: it costs seconds a series, so it is done for those that somebody names, and for no others.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, its wall and grants."""
    op.create_table(
        "forecast_pins",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("selector", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("forecast_pins_tenant_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("forecast_pins_pkey")),
        sa.UniqueConstraint("tenant_id", "selector", name=op.f("forecast_pins_tenant_id_selector_key")),
    )
    op.execute("select watchfloor_protect('forecast_pins')")


def downgrade() -> None:
    """Drop what upgrade() made."""
    op.drop_table("forecast_pins")
