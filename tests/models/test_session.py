"""The wall between tenants, as the database itself keeps it."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, select, text
from sqlalchemy.exc import ProgrammingError

from models.access import MembershipRow
from models.inventory import SiteRow
from models.session import role_url, tenant_connection, tenant_session
from models.tenants import TenantRow
from tests.factories.cast import Cast, create_cast
from tests.factories.servers import SECRET_KEY


def test_a_session_sees_its_tenant_and_no_other(cast: Cast) -> None:
    with tenant_session(cast.globex) as session:
        assert [row.name for row in session.scalars(select(TenantRow))] == ["globex"]
        assert {row.tenant_id for row in session.scalars(select(MembershipRow))} == {cast.globex}


def test_a_row_of_another_tenant_is_refused(cast: Cast) -> None:
    with pytest.raises(ProgrammingError, match="row-level security"), tenant_session(cast.globex) as session:
        session.add(SiteRow(tenant_id=cast.acme, name="ours", title="Ours now"))


def test_without_a_tenant_nothing_is_answered(own_db: str) -> None:
    create_cast()
    engine = create_engine(role_url(own_db, "web", SECRET_KEY))
    with pytest.raises(ProgrammingError, match=r"app\.tenant"), engine.connect() as connection:
        connection.execute(text("select * from memberships")).all()
    engine.dispose()


def test_a_query_takes_one_process_of_the_server(own_db: str) -> None:
    tenant = create_cast().acme
    with tenant_connection(tenant) as connection:
        assert connection.scalar(text("show max_parallel_workers_per_gather")) == "0"
