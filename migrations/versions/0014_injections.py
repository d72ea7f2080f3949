"""What was injected on purpose, so that detection and forecasts can be compared with it.

Why: precision, recall and delay are figures only beside a log of what really happened. It is written by whoever
injects (the demo network does), read by the Proof page, and never by detection.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

MOMENT = postgresql.TIMESTAMP(timezone=True)
DOCUMENT = postgresql.JSONB(astext_type=sa.Text())


def upgrade() -> None:
    """Make the table, its wall and grants."""
    op.create_table(
        "injections",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("metric", sa.Text(), server_default="", nullable=False),
        sa.Column("labels", DOCUMENT, server_default="{}", nullable=False),
        sa.Column("affected", DOCUMENT, server_default="[]", nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=False),
        sa.Column("magnitude", sa.Double(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("injections_tenant_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("injections_pkey")),
        sa.UniqueConstraint("tenant_id", "ref", name=op.f("injections_tenant_id_ref_key")),
    )
    op.create_index("injections_time_idx", "injections", ["tenant_id", "started_at"])
    op.execute("select watchfloor_protect('injections')")


def downgrade() -> None:
    """Drop what upgrade() made."""
    op.drop_table("injections")
