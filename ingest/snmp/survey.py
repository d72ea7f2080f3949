"""Reading a whole device once: who it is, its profile, and every column that the profile asks for."""

from __future__ import annotations

from ingest.snmp import codec
from ingest.snmp.client import Agent, Client, NoAnswer
from ingest.snmp.discovery import READINGS, SYSTEM, Survey, as_text
from ingest.snmp.profiles import Library, Pick, Profile

# No device has more rows in one table than this; an agent that says so is stuck in a way we do not know yet.
MOST_ROWS = 5_000


async def survey(client: Client, agent: Agent, library: Library) -> Survey:
    """What discovery and the plan need of a device; raises NoAnswer, AgentError."""
    found = await client.get(agent, list(SYSTEM.values()))
    system = {name: found[oid] for name, oid in SYSTEM.items() if oid in found and found[oid][0] not in NO_VALUE}
    if not system:
        raise NoAnswer(f"{agent.address} answers, but has none of the system group")
    profile = library.profile_for(as_text(system.get("object_id")), as_text(system.get("description")))
    walk = await client.columns(agent, columns_of(profile), max_rows=MOST_ROWS)
    columns = {root: cells for root, cells in walk.columns.items() if cells}
    return Survey(profile, system, columns, await _pick(client, agent, profile))


NO_VALUE = frozenset({codec.NO_SUCH_OBJECT, codec.NO_SUCH_INSTANCE, codec.NULL, codec.BROKEN})


def columns_of(profile: Profile) -> list[bytes]:
    """Every column to be read for a profile, each once."""
    own = [oid for reading in sorted(profile.reads) for oid in READINGS[reading].values()]
    return list(dict.fromkeys([*own, *profile.columns()]))


async def _pick(client: Client, agent: Agent, profile: Profile) -> dict[str, str]:
    """The first value under each object identifier that the profile names for the device's identity."""
    picks: dict[str, Pick | None] = {
        name: getattr(profile.identity, name) for name in ("os_version", "model", "serial")
    }
    roots = {name: codec.oid_octets(pick.oid) for name, pick in picks.items() if pick and pick.oid}
    if not roots:
        return {}
    walk = await client.columns(agent, list(roots.values()), max_rows=1)
    texts = {name: [as_text(cell) for cell in walk.columns[root].values()] for name, root in roots.items()}
    return {name: found[0] for name, found in texts.items() if found}
