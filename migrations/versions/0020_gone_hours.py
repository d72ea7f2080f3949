"""Hours of which no raw sample is left, in the database or in the archive.

Why: what is sent once more for such an hour cannot be told from what its rollups hold already, and would count twice;
it is refused, so it must be known which hours these are.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, its wall and grants."""
    op.create_table(
        "raw_gone",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("bucket", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("raw_gone_tenant_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "bucket", name=op.f("raw_gone_pkey")),
    )
    op.execute("select watchfloor_protect('raw_gone')")


def downgrade() -> None:
    """Drop what upgrade() made."""
    op.drop_table("raw_gone")
