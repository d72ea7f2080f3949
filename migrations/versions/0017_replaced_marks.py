"""Which verdict stood before another took its place.

Why: undoing a verdict brings back the one that it replaced, so the mark must say which one that was. Marks of the
version before have none: undoing one of them leaves nothing standing, as it did.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("feedback_marks", sa.Column("replaced_id", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Drop what upgrade() made."""
    op.drop_column("feedback_marks", "replaced_id")
