"""One real Postgres and one real Valkey for a whole test run."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from uuid import uuid4

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from app.runtime import servers
from app.runtime.embedded import needed_servers
from app.runtime.home import Home
from app.runtime.schema import migrate_database
from app.settings import Settings
from models.session import ROLES

SECRET_KEY = "test-secret-key-" * 4


@dataclass(frozen=True)
class Servers:
    """Addresses of the run's servers: the owner's database URL (database name aside) and Valkey's."""

    database_url: str
    redis_url: str


def owner_engine(url: str, **options: object) -> Engine:
    """An engine of the owner, who may do everything in his databases."""
    return create_engine(make_url(url).set(drivername="postgresql+psycopg"), **options)


def create_database(at: Servers, *, template: str | None = None) -> str:
    """Make an empty database (or a copy of `template`); answers the owner's URL of it."""
    name = f"test_{os.getpid()}_{uuid4().hex[:8]}"
    with owner_engine(at.database_url, isolation_level="AUTOCOMMIT").connect() as connection:
        suffix = f" template {template}" if template else ""
        connection.execute(text(f"create database {name}{suffix}"))
    return make_url(at.database_url).set(database=name).render_as_string(hide_password=False)


def drop_database(at: Servers, url: str) -> None:
    """Drop a database and whoever is still connected to it.

    The owner may not end sessions of other roles: one that is just closing is given a moment. An autovacuum is ended by
    the plain form alone.
    """
    deadline = time.monotonic() + 60
    for form in cycle((" with (force)", "")):
        try:
            with owner_engine(at.database_url, isolation_level="AUTOCOMMIT").connect() as connection:
                connection.execute(text(f"drop database if exists {make_url(url).database}{form}"))
            return
        except DBAPIError:
            if time.monotonic() > deadline:
                raise
            gc.collect()  # pools of a process main that ran inside a test are closed with it
            time.sleep(0.05)


@contextmanager
def copied_database(at: Servers, migrated_url: str) -> Iterator[str]:
    """A copy of a migrated database, for as long as the context lasts; answers the owner's URL."""
    url = create_database(at, template=make_url(migrated_url).database)
    yield url
    drop_database(at, url)


def migrate(url: str, revision: str = "head") -> None:
    """Bring the database to `revision` with the real migrations."""
    migrate_database(url, SECRET_KEY, revision=revision)
    engine = owner_engine(url)
    with engine.begin() as connection:
        is_superuser = connection.scalar(text("select rolsuper from pg_roles where rolname = current_user"))
        for login in () if is_superuser else ROLES.values():
            # RolledBackDatabase plays every role on the owner's connection; in production the owner plays none.
            connection.execute(text(f"grant {login} to current_user with set true, inherit false"))
    engine.dispose()


@contextmanager
def embedded_servers() -> Iterator[Servers]:
    """Our own embedded servers in a throw-away home, without the waits for the disk."""
    home = Home(Path(tempfile.mkdtemp(prefix="watchfloor-test-"))).prepare()
    postgres, valkey = needed_servers(Settings(), home, is_durable=False)
    assert postgres and valkey
    running = []
    try:
        for server in (postgres, valkey):
            server.prepare()
            running.append((server, servers.start(server)))
        yield Servers(postgres.url(), valkey.url())
    finally:
        for server, process in reversed(running):
            servers.stop(process, server.stop_signal, limit_s=10)
        shutil.rmtree(home.root, ignore_errors=True)
