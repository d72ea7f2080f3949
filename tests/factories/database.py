"""A database whose every commit is undone: one real connection, one outer transaction, savepoints inside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from models.session import ROLES, Database


class RolledBackDatabase(Database):
    """Serves sessions of every role on one connection; the fixture rolls its transaction back."""

    def __init__(self, outer: Connection) -> None:
        super().__init__("web", {})
        self.outer = outer

    @contextmanager
    def session(self, role: str) -> Iterator[Session]:
        self._become(role)
        options = {"expire_on_commit": False, "join_transaction_mode": "create_savepoint"}
        with Session(self.outer, **options) as session, session.begin():
            yield session

    @contextmanager
    def connection(self, role: str) -> Iterator[Connection]:
        self._become(role)
        with self.outer.begin_nested():
            yield self.outer

    def close(self) -> None:
        """Nothing to close: the fixture owns the connection."""

    def _become(self, role: str) -> None:
        self.outer.execute(text(f"set local role {ROLES[role]}"))
