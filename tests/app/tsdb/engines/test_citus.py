"""Citus: skipped on servers without it. WATCHFLOOR_TEST_DATABASE_URL points at a coordinator that has nodes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, text

from app.domain.labels import Matcher, MatchOp
from app.tsdb import engines
from app.tsdb.engines.citus import TABLES
from app.tsdb.reader import Reader
from models.session import ROLES, tenant_connection
from tests.factories.cast import Cast, create_cast
from tests.factories.committed import is_citus
from tests.factories.samples import store_all
from tests.factories.servers import Servers, owner_engine

T0 = 1_790_000_000_000
GROUPS = 40
EVERYTHING = [Matcher("__name__", MatchOp.EQUAL, "up")]

# Of each shard on the nodes: whether its wall stands, for its owner too, and by which words.
WALLS = """
select c.relrowsecurity and c.relforcerowsecurity and p.polqual is not null as is_walled
from pg_class c left join pg_policy p on p.polrelid = c.oid
where c.relname ~ '^sample_(hot|blocks|rollups)_[0-9]+$' and c.relnamespace = 'public'::regnamespace
"""
# What a role may touch of the pieces of time, on the nodes.
OPEN = """
select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'sample_parts' and has_schema_privilege('{role}', n.oid, 'usage')
    and has_table_privilege('{role}', c.oid, 'select, insert, update, delete')
"""


@pytest.fixture
def owner(servers: Servers, own_db: str) -> Iterator[Connection]:
    """The owner's connection to a database whose samples lie on nodes."""
    if not is_citus(servers.database_url):
        pytest.skip("the server has no Citus")
    engine = owner_engine(own_db)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def cast(owner: Connection) -> Cast:
    """Both tenants, with a sample in each of many groups of acme and one of globex."""
    cast = create_cast()
    for tenant, groups in ((cast.acme, GROUPS), (cast.globex, 1)):
        store_all(tenant, [({"__name__": "up", "device": f"d-{n}"}, [(T0, float(n))]) for n in range(groups)])
    return cast


def on_nodes(owner: Connection, query: str) -> list[Any]:
    """The rows that each node answers, all together."""
    found = owner.execute(text("select success, result from run_command_on_workers(:query)"), {"query": query}).all()
    assert all(row.success for row in found), found
    return [each for row in found for each in json.loads(row.result or "[]")]


def rows_of(query: str) -> str:
    return f"select coalesce(json_agg(t), '[]') from ({query}) t"


def test_the_three_tables_lie_side_by_side_by_group(owner: Connection) -> None:
    found = owner.execute(
        text(
            "select table_name::text, citus_table_type, distribution_column, colocation_id from citus_tables"
            " where table_name::text = any(:tables)"
        ),
        {"tables": list(TABLES)},
    ).all()
    assert {row.table_name for row in found} == set(TABLES)
    assert {(row.citus_table_type, row.distribution_column) for row in found} == {("distributed", "group_id")}
    assert len({row.colocation_id for row in found}) == 1


def test_to_adopt_it_again_changes_nothing(owner: Connection) -> None:
    before = owner.scalar(text("select count(*) from pg_dist_shard"))
    assert engines.adopt(owner) == "citus"
    assert owner.scalar(text("select count(*) from pg_dist_shard")) == before


def test_samples_lie_on_every_node_and_come_back_as_one(owner: Connection, cast: Cast) -> None:
    nodes = owner.scalar(text("select count(*) from pg_dist_node where shouldhaveshards"))
    with tenant_connection(cast.acme) as connection:
        found = connection.scalars(text("select group_id from sample_hot")).all()
    used = owner.scalar(
        text(
            "select count(distinct nodename || ':' || nodeport) from unnest(cast(:groups as int[])) as g(id)"
            " join pg_dist_placement p on p.shardid = get_shard_id_for_distribution_column('sample_hot', g.id)"
            " join pg_dist_node n on n.groupid = p.groupid"
        ),
        {"groups": list(found)},
    )
    assert (len(found), used) == (GROUPS, nodes)
    blocks = Reader(cast.acme).select(EVERYTHING, start_ms=T0, end_ms=T0)
    assert sorted(value for block in blocks for value in block.values[0].tolist()) == list(range(GROUPS))


def test_the_other_tenant_sees_nothing_of_it(owner: Connection, cast: Cast) -> None:
    with tenant_connection(cast.globex) as connection:
        for table in TABLES:
            assert (
                connection.scalar(text(f"select count(*) from {table} where tenant_id <> :own"), {"own": cast.globex})
                == 0
            )
        assert connection.scalar(text("select count(*) from sample_hot")) == 1
    assert len(Reader(cast.charlie.tenant).select(EVERYTHING, start_ms=T0, end_ms=T0)) == 1


def test_the_wall_stands_on_every_shard(owner: Connection, cast: Cast) -> None:
    assert cast
    walls = on_nodes(owner, rows_of(WALLS))
    assert walls
    assert all(wall["is_walled"] for wall in walls)
    for role in (ROLES["web"], ROLES["worker"]):
        assert on_nodes(owner, rows_of(OPEN.format(role=role))) == [{"count": 0}] * 2
