"""What capacity planning keeps: when each thing is expected to be full, and what was said before."""

from __future__ import annotations

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, walls and grants."""


def downgrade() -> None:
    """Drop what upgrade() made."""
