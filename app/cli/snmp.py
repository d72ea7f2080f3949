"""`snmp walk` and `snmp discover`: what one device says, without a database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeVar

import click

from app.domain.inventory import Discovery
from app.domain.labels import METRIC, decode_labels
from app.errors import InvalidInput
from ingest.snmp import codec, values
from ingest.snmp.client import Agent, AgentError, Client
from ingest.snmp.discovery import discover as discover_in
from ingest.snmp.plan import Plan, compile_plan
from ingest.snmp.profiles import load_profiles
from ingest.snmp.survey import survey
from ingest.snmp.walk import Cells, ColumnWalk, Stop

F = TypeVar("F", bound=Callable[..., Any])

VERSIONS = {"1": codec.V1, "2c": codec.V2C}
# A walk that ends for one of these reasons has reached its end.
GOOD_ENDS = frozenset({Stop.OUTSIDE, Stop.END_OF_MIB, Stop.NO_SUCH_NAME})


@click.group()
def snmp() -> None:
    """Ask one device over SNMP."""


def _of_a_device(command: F) -> F:
    """The options that every verb here has."""
    for decorate in (
        click.option("--tries", default=3, show_default=True, type=click.IntRange(1, 10), help="Tries per request."),
        click.option("--version", "version", default="2c", show_default=True, type=click.Choice(list(VERSIONS))),
        click.option("--port", default=161, show_default=True, type=click.IntRange(1, 65_535)),
        click.option("--community", "-c", default="public", show_default=True, envvar="SNMP_COMMUNITY"),
        click.argument("host"),
    ):
        command = decorate(command)
    return command


@snmp.command()
@_of_a_device
@click.argument("oid", default="1.3.6.1.2.1")
@click.option("--limit", default=100_000, show_default=True, type=click.IntRange(1), help="Most lines.")
def walk(*, host: str, community: str, port: int, version: str, tries: int, oid: str, limit: int) -> None:
    """Print everything HOST has below OID, a line each: OID = TYPE: value."""
    root = codec.oid_octets(oid)
    agent = _agent(host, community=community, port=port, version=version)
    found = asyncio.run(_walk(agent, root, limit=limit, tries=tries))
    cells = found.columns[root]
    if not cells:
        cells = asyncio.run(_get(agent, root, tries=tries))
    for index, (tag, content) in cells.items():
        name = codec.format_oid(codec.decode_oid(root + index))
        text = values.value(tag, content)
        click.echo(f"{name} = {values.type_name(tag)}: {'' if text is None else text}")
    if found.stops[root] not in GOOD_ENDS:
        raise AgentError(f"the walk ended early after {len(cells)} lines: {found.stops[root]}")
    if not cells:
        raise AgentError(f"{host} has nothing below {oid}")
    if found.broken:
        click.echo(f"{found.broken} values could not be read and were left out", err=True)


@snmp.command()
@_of_a_device
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def discover(*, host: str, community: str, port: int, version: str, tries: int, as_json: bool) -> None:
    """Print what discovery finds on HOST: the device, its interfaces, its neighbours, and what would be polled."""
    agent = _agent(host, community=community, port=port, version=version)
    profile, found, plan = asyncio.run(_discover(agent, tries=tries))
    if as_json:
        click.echo(json.dumps({"profile": profile, **asdict(found), "series": _metrics(plan)}, indent=2))
        return
    click.echo(f"profile: {profile}")
    for name, value in asdict(found.device).items():
        click.echo(f"{name}: {' '.join(value.split())}")
    click.echo(f"\n{len(found.interfaces)} interfaces")
    for each in found.interfaces:
        speed = f"{each.speed_bps / 1e6:g} Mbit/s" if each.speed_bps else "-"
        click.echo(f"  {each.if_index}  {each.name}  {each.admin_status}/{each.oper_status}  {speed}  {each.alias}")
    click.echo(f"\n{len(found.neighbours)} neighbours")
    for neighbour in found.neighbours:
        click.echo(f"  {neighbour.interface} -> {neighbour.device or neighbour.chassis} {neighbour.port}")
    click.echo(f"\n{len(plan.keys)} series")
    for metric, count in _metrics(plan).items():
        click.echo(f"  {metric}: {count}")


def _agent(host: str, *, community: str, port: int, version: str) -> Agent:
    if not host.strip():
        raise InvalidInput("host", "is empty")
    return Agent(host, port, community=community.encode(), version=VERSIONS[version])


async def _walk(agent: Agent, root: bytes, *, limit: int, tries: int) -> ColumnWalk:
    async with Client(tries=tries) as client:
        return await client.columns(agent, [root], max_rows=limit)


async def _get(agent: Agent, name: bytes, *, tries: int) -> Cells:
    """The one value of this very name, as a column of it: its row's index is empty."""
    async with Client(tries=tries) as client:
        found = await client.get(agent, [name])
    cell = found.get(name)
    return {} if cell is None or cell[0] in values.MISSING else {b"": cell}


async def _discover(agent: Agent, *, tries: int) -> tuple[str, Discovery, Plan]:
    async with Client(tries=tries) as client:
        read = await survey(client, agent, load_profiles())
    found = discover_in(read)
    return read.profile.name, found, compile_plan(read, found.interfaces, labels={"device": agent.address})


def _metrics(plan: Plan) -> dict[str, int]:
    """How many series of each metric a poll gives."""
    counts: dict[str, int] = {}
    for key in plan.keys:
        metric = dict(decode_labels(key))[METRIC]
        counts[metric] = counts.get(metric, 0) + 1
    return counts
