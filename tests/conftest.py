"""Fixtures of every test: real servers for the run, a rolled-back database for each test, and the cast.

`WATCHFLOOR_TEST_DATABASE_URL` (an owner who may create databases and roles) and `WATCHFLOOR_TEST_REDIS_URL` point the
suite at other servers; without them the embedded ones are started. A database that is a Citus coordinator with nodes is
used itself: it must be empty.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings
from redis import Redis

from app.valkey import use_valkey
from models.session import close_database, open_database, use_database
from tests.factories.cast import Cast, create_cast
from tests.factories.committed import CommittedDatabase, Emptied, emptied, is_citus, own_database
from tests.factories.database import RolledBackDatabase
from tests.factories.servers import (
    SECRET_KEY,
    Servers,
    create_database,
    drop_database,
    embedded_servers,
    migrate,
    owner_engine,
)

# The same examples in every run: what fails here fails everywhere. `--hypothesis-profile=default` looks for new ones.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile("steady")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the browser last: while it is open its event loop runs in this thread, and asyncio.run() is refused."""
    items.sort(key=lambda item: "tests/browser/" in item.nodeid)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """The run's Postgres and Valkey."""
    database_url = os.environ.get("WATCHFLOOR_TEST_DATABASE_URL")
    redis_url = os.environ.get("WATCHFLOOR_TEST_REDIS_URL")
    if database_url and redis_url:
        yield Servers(database_url, redis_url)
        return
    with embedded_servers() as started:
        yield started


@pytest.fixture(scope="session")
def migrated_url(servers: Servers) -> Iterator[str]:
    """A migrated, empty database; the template of the databases of `own_db`."""
    if is_citus(servers.database_url):
        migrate(servers.database_url)
        yield servers.database_url
        return
    url = create_database(servers)
    migrate(url)
    yield url
    drop_database(servers, url)


@pytest.fixture(scope="session")
def shared_db(migrated_url: str) -> Emptied | None:
    """On Citus: the one database of all tests, which is emptied after each."""
    return emptied(migrated_url) if is_citus(migrated_url) else None


@pytest.fixture
def db(migrated_url: str, shared_db: Emptied | None) -> Iterator[RolledBackDatabase | CommittedDatabase]:
    """The database of one test; everything it commits is undone."""
    if shared_db is not None:
        with shared_db.used() as url:
            committed = CommittedDatabase(url)
            use_database(committed)
            yield committed
            committed.close()
        return
    engine = owner_engine(migrated_url)
    with engine.connect() as connection:
        transaction = connection.begin()
        database = RolledBackDatabase(connection)
        use_database(database)
        yield database
        transaction.rollback()
    engine.dispose()


@pytest.fixture
def own_db(servers: Servers, migrated_url: str, shared_db: Emptied | None) -> Iterator[str]:
    """A database of the test's own, with real commits and every role; answers the owner's URL."""
    with own_database(servers, migrated_url, shared_db) as url:
        open_database(url, role="web", secret_key=SECRET_KEY)
        yield url
        close_database()


@pytest.fixture
def valkey(servers: Servers) -> Iterator[Redis]:
    """An empty Valkey."""
    client = use_valkey(Redis.from_url(servers.redis_url))
    client.flushdb()
    yield client
    client.flushdb()
    client.close()


@pytest.fixture
def cast(db: RolledBackDatabase) -> Cast:
    """Both tenants and their people, in the rolled-back database."""
    return create_cast()
