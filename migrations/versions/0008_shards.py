"""How many shards the stream has.

Why: one shard is drained by one worker at a time, so their number bounds how many workers can store. It was a constant
of the program; as a row it can be changed while everything runs.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

GRANTS = """
revoke all on stream_layout from watchfloor_web, watchfloor_worker;
grant select on stream_layout to watchfloor_web, watchfloor_worker, watchfloor_writer, watchfloor_platform;
grant update on stream_layout to watchfloor_platform;
"""


def upgrade() -> None:
    """Make the table with its one row."""
    op.create_table(
        "stream_layout",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, server_default="1", nullable=False),
        sa.Column("shards", sa.SmallInteger(), server_default="2", nullable=False),
        sa.Column("changed_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("stream_layout_pkey")),
        sa.CheckConstraint("id = 1", name=op.f("stream_layout_one_row_check")),
        sa.CheckConstraint("shards between 1 and 64", name=op.f("stream_layout_shards_check")),
    )
    op.execute("insert into stream_layout default values")
    op.execute(GRANTS)


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("stream_layout")
