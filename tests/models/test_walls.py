"""The walls in the database itself: every table of a tenant, and what the program's roles cannot do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from models.session import ROLES, role_url, tenant_connection
from tests.factories.cast import create_cast
from tests.factories.servers import SECRET_KEY

# Tables whose rows are no tenant's: the installation's own bookkeeping. (tenants and users have policies of their own.)
OF_NO_TENANT = {
    "tenants",
    "users",
    "alembic_version",
    "erasures",
    "sample_partitions",
    "stream_layout",
    "stream_offsets",
}
OF_TENANTS = (
    "and exists (select from pg_attribute where attrelid = pg_class.oid and attname = 'tenant_id' and not attisdropped)"
)
WALLED = "and relrowsecurity and relforcerowsecurity and exists (select from pg_policy where polrelid = pg_class.oid)"
FORBIDDEN = (
    "alter table memberships no force row level security",
    "alter table memberships disable row level security",
    "drop policy tenant on memberships",
    "copy tenants to program 'cat'",
    "copy tenants from '/etc/passwd'",
    "select pg_read_file('/etc/passwd')",
    "select pg_ls_dir('/')",
    "select lo_import('/etc/passwd')",
    "create table planted (x int)",
    "create role planted superuser",
    "update audit set actor = 'nobody'",
    "delete from audit",
    "truncate audit",
)


@contextmanager
def _as(url: str, role: str) -> Iterator[Connection]:
    engine = create_engine(role_url(url, role, SECRET_KEY), poolclass=NullPool)
    with engine.begin() as connection:
        yield connection


def _tables(connection: Connection, condition: str) -> set[str]:
    every = "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') "
    return set(connection.scalars(text(every + condition)))


def test_every_table_of_a_tenant_is_behind_forced_row_level_security(own_db: str) -> None:
    with _as(own_db, "platform") as connection:
        of_tenants = _tables(connection, "and not relispartition " + OF_TENANTS)
        walled = _tables(connection, WALLED)
        everything = _tables(connection, "and not relispartition")
    assert of_tenants | {"tenants", "users"} <= walled
    assert everything - of_tenants <= OF_NO_TENANT


def test_partitions_are_reached_through_their_table_only(own_db: str) -> None:
    may_touch = "and relispartition and has_table_privilege('{}', oid, 'select, insert, update, delete')"
    with _as(own_db, "platform") as connection:
        assert not _tables(connection, may_touch.format(ROLES["web"]))
        assert not _tables(connection, may_touch.format(ROLES["worker"]))


@pytest.mark.parametrize("role", ["web", "worker"])
def test_each_table_shows_a_tenant_its_rows_alone(own_db: str, role: str) -> None:
    cast = create_cast()
    with _as(own_db, role) as connection:
        readable = _tables(connection, "and not relispartition and has_table_privilege(oid, 'select') " + OF_TENANTS)
        assert {"memberships", "devices", "alerts", "audit"} <= readable
        connection.execute(text(f"set local app.tenant = '{cast.globex}'"))
        for table in sorted(readable):
            foreign = text(f"select count(*) from {table} where tenant_id <> :own")
            assert connection.scalar(foreign, {"own": cast.globex}) == 0, table
        assert connection.scalar(text("select count(*) from memberships")) == 1


@pytest.mark.parametrize("role", ["web", "worker"])
def test_without_a_tenant_reading_is_an_error(own_db: str, role: str) -> None:
    create_cast()
    with pytest.raises(DBAPIError, match=r"app\.tenant|invalid input syntax"), _as(own_db, role) as connection:
        connection.execute(text("select * from memberships")).all()


@pytest.mark.parametrize("role", list(ROLES))
def test_no_role_gets_out_of_its_place(own_db: str, role: str) -> None:
    owner = make_url(own_db).username
    others = [f"set role {login}" for name, login in ROLES.items() if name != role]
    others += [f"set role {owner}", f"set session authorization {owner}"]
    with _as(own_db, role) as connection:
        connection.execute(text("set local app.tenant = '1'"))
        for statement in (*FORBIDDEN, *others):
            with pytest.raises(DBAPIError, match=r"denied|owner"), connection.begin_nested():
                connection.execute(text(statement))


def test_the_web_role_reads_no_password_and_no_session(own_db: str) -> None:
    tenant = create_cast().acme
    for query in ("select password_hash from users", "select * from sessions", "select * from users"):
        with pytest.raises(DBAPIError, match="denied"), tenant_connection(tenant) as connection:
            connection.execute(text(query))


@pytest.mark.parametrize("role", ["web", "worker"])
def test_nobody_gives_themselves_rights_inside_their_tenant(own_db: str, role: str) -> None:
    cast = create_cast()
    with _as(own_db, role) as connection:
        connection.execute(text(f"set local app.tenant = '{cast.globex}'"))
        for statement in (
            "update memberships set role = 'admin'",
            "insert into memberships (tenant_id, user_id, role) values (1, 1, 'admin')",
            "update roles set grants = '[]'",
            "update tenants set samples_per_s = 1",
            "update users set is_platform_admin = true",
            "delete from tokens",
        ):
            with pytest.raises(DBAPIError, match="denied"), connection.begin_nested():
                connection.execute(text(statement))
