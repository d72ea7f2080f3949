"""The migrations: one head, each can be undone, and together they make what the models say."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from app.runtime.schema import alembic_config
from models.base import Base
from models.session import ROLES, role_password
from tests.factories.servers import SECRET_KEY, Servers, create_database, drop_database, migrate, owner_engine

REVISIONS = [script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()][::-1]


@pytest.fixture
def empty_url(servers: Servers) -> Iterator[str]:
    """The address of a database in which nothing is."""
    url = create_database(servers)
    yield url
    drop_database(servers, url)


def test_there_is_one_head() -> None:
    assert len(ScriptDirectory.from_config(alembic_config()).get_heads()) == 1


def test_each_migration_says_why() -> None:
    for script in ScriptDirectory.from_config(alembic_config()).walk_revisions():
        assert "why:" in (script.module.__doc__ or "").lower(), script.revision


def test_each_goes_up_and_down_and_up_again(empty_url: str) -> None:
    config = alembic_config()
    passwords = {login: role_password(role, SECRET_KEY) for role, login in ROLES.items()}
    engine = owner_engine(empty_url)
    tables: list[set[str]] = []
    for revision in REVISIONS:
        with engine.begin() as connection:
            config.attributes.update(connection=connection, role_passwords=passwords)
            tables.append(set(inspect(connection).get_table_names()))
            command.upgrade(config, revision)
            command.downgrade(config, "-1")
            assert set(inspect(connection).get_table_names()) - {"alembic_version"} == tables[-1] - {"alembic_version"}
            command.upgrade(config, revision)
    engine.dispose()


def test_they_make_what_the_models_say(migrated_url: str) -> None:
    engine = owner_engine(migrated_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": _is_no_partition})
        differences = [str(difference) for difference in compare_metadata(context, Base.metadata)]
    engine.dispose()
    assert not differences


def test_every_table_of_a_tenant_is_behind_the_wall(migrated_url: str) -> None:
    engine = owner_engine(migrated_url)
    with engine.connect() as connection:
        open_tables = connection.scalars(
            text("""select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid
                    where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace
                    and a.attname = 'tenant_id' and not a.attisdropped
                    and not (c.relrowsecurity and c.relforcerowsecurity) and not c.relispartition""")
        ).all()
    engine.dispose()
    assert not open_tables


def test_migrating_twice_changes_nothing(empty_url: str) -> None:
    migrate(empty_url)
    migrate(empty_url)


def _is_no_partition(name: str | None, kind: str, _parents: object) -> bool:
    return not (kind == "table" and name is not None and name.startswith("sample_hot_"))
