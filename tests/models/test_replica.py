"""Reading from a replica: used while it is fit, passed over with a warning when it is not."""

from __future__ import annotations

import logging

import pytest
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import InternalError

from app.domain.tenancy import TenantId
from models.session import Database, close_database, open_database, tenant_connection
from tests.factories.cast import create_cast
from tests.factories.servers import SECRET_KEY

WHO = text("select current_setting('application_name')")
TENANTS = text("select name from tenants")
AWAY = "postgresql://owner:x@127.0.0.1:1/none"


def opened(url: str, read_url: str) -> Database:
    close_database()
    return open_database(url, role="web", secret_key=SECRET_KEY, read_url=read_url)


def named(url: str) -> str:
    """The same server under another address, so that an answer tells whom it came from."""
    return make_url(url).update_query_dict({"application_name": "replica"}).render_as_string(hide_password=False)


def asked(tenant: TenantId, *, read_only: bool) -> str:
    with tenant_connection(tenant, read_only=read_only) as connection:
        return str(connection.scalar(WHO))


def test_only_what_may_be_old_is_read_from_the_replica(own_db: str) -> None:
    cast = create_cast()
    database = opened(own_db, named(own_db))
    assert asked(cast.acme, read_only=True) == "replica"
    assert asked(cast.acme, read_only=False) != "replica"
    database.close()


def test_a_tenant_sees_its_own_there_too(own_db: str) -> None:
    cast = create_cast()
    database = opened(own_db, named(own_db))
    for tenant, name in ((cast.acme, "acme"), (cast.globex, "globex")):
        with tenant_connection(tenant, read_only=True) as connection:
            assert list(connection.scalars(TENANTS)) == [name]
    database.close()


def test_nothing_is_written_through_it(own_db: str) -> None:
    cast = create_cast()
    database = opened(own_db, named(own_db))
    with (
        pytest.raises(InternalError, match="read-only"),
        tenant_connection(cast.acme, read_only=True) as connection,
    ):
        connection.execute(text("delete from sites"))
    database.close()


def test_a_replica_that_is_away_is_passed_over_with_one_warning(own_db: str, caplog: pytest.LogCaptureFixture) -> None:
    cast = create_cast()
    database = opened(own_db, AWAY)
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            assert asked(cast.acme, read_only=True) == asked(cast.acme, read_only=False)
    assert [record.message for record in caplog.records] == ["the replica does not answer; the primary does"]
    database.close()


def test_a_replica_that_dies_is_left_after_the_query_that_noticed(own_db: str) -> None:
    cast = create_cast()
    database = opened(own_db, named(own_db))
    assert asked(cast.acme, read_only=True) == "replica"
    assert database.replica
    database.replica.engine.dispose()
    database.replica.engine = create_engine(make_url(AWAY).set(drivername="postgresql+psycopg"), poolclass=NullPool)
    assert asked(cast.acme, read_only=True) != "replica"
    database.close()
