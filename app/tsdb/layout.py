"""How many shards the stream has: the one row that says so, for the whole installation."""

from __future__ import annotations

from typing import Final

from sqlalchemy import text

from app.errors import InvalidInput
from models.session import platform_session, writer_connection

FEWEST_SHARDS: Final = 1
MOST_SHARDS: Final = 64

_LOAD = text("select shards from stream_layout")
_SAVE = text("update stream_layout set shards = :shards, changed_at = now() where shards <> :shards")


def load_shards() -> int:
    """The number of shards that the stream is to have."""
    with writer_connection() as connection:
        return int(connection.execute(_LOAD).scalar_one())


def save_shards(shards: int) -> None:
    """Set the number; within seconds every process goes by it. Raises InvalidInput unless 1 <= shards <= 64."""
    if not FEWEST_SHARDS <= shards <= MOST_SHARDS:
        raise InvalidInput("shards", f"must be {FEWEST_SHARDS} to {MOST_SHARDS}")
    with platform_session() as session:
        session.execute(_SAVE, {"shards": shards})
