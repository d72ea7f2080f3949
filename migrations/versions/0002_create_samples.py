"""Series, samples and the offsets of the stream.

Why: filled in by the data plane.
"""

from __future__ import annotations

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, their walls and their grants."""


def downgrade() -> None:
    """Drop what upgrade() made."""
