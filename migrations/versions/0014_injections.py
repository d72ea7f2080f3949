"""What the demo injects, so that detection can be compared with it."""

from __future__ import annotations

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, walls and grants."""


def downgrade() -> None:
    """Drop what upgrade() made."""
