"""How far each group is scored, and what its detectors knew at a check-point.

A cycle advances `scored_to` in the transaction that writes scores and anomalies, and only from where it found it: of
two workers that score one group, the later one writes nothing (Conflict).
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import zstandard
from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from app.domain.tenancy import TenantId
from app.errors import Conflict
from app.tsdb.blocks import moment

_LEVEL: Final = 1
_LOAD = text("""
    select group_id, (extract(epoch from scored_to) * 1000)::bigint as scored_to_ms,
        (extract(epoch from state_to) * 1000)::bigint as state_to_ms, slots, checksum, state
    from detector_states where tenant_id = :tenant and group_id = any(cast(:groups as int[]))
""")
_BEGIN = text("""
    insert into detector_states (tenant_id, group_id, scored_to)
    select :tenant, * from unnest(cast(:groups as int[]), cast(:moments as timestamptz[])) on conflict do nothing
""")
_ADVANCE = text("""
    update detector_states d set scored_to = n.after
    from unnest(cast(:groups as int[]), cast(:before as timestamptz[]), cast(:after as timestamptz[]))
        as n(group_id, before, after)
    where d.tenant_id = :tenant and d.group_id = n.group_id and d.scored_to = n.before
""")
_SAVE = text("""
    update detector_states d set state_to = n.at, slots = n.slots, checksum = n.checksum, state = n.state
    from unnest(cast(:groups as int[]), cast(:moments as timestamptz[]), cast(:slots as int[]),
        cast(:checksums as bigint[]), cast(:states as bytea[])) as n(group_id, at, slots, checksum, state)
    where d.tenant_id = :tenant and d.group_id = n.group_id
""")


class Overtaken(Conflict):
    """Another worker has scored these groups; what this one knows of them is old."""


@dataclass(frozen=True)
class Stored:
    """What is kept of one group; `state` is None when there is none, or when it is broken."""

    scored_to_ms: int
    state_to_ms: int | None
    slots: int
    state: bytes | None


def load(connection: Connection, tenant: TenantId, group_ids: Sequence[int]) -> dict[int, Stored]:
    """What is kept of these groups. A state whose checksum is wrong is left out: it is learned anew."""
    found = {}
    for row in connection.execute(_LOAD, {"tenant": tenant, "groups": list(group_ids)}):
        is_whole = row.state is not None and zlib.crc32(row.state) == row.checksum
        state = zstandard.decompress(row.state) if is_whole else None
        found[row.group_id] = Stored(row.scored_to_ms, row.state_to_ms if is_whole else None, row.slots, state)
    return found


def begin(session: Session, tenant: TenantId, starts_ms: Mapping[int, int]) -> None:
    """Begin to score groups after these moments; those that were begun stay as they are."""
    if starts_ms:
        moments = [moment(ms) for ms in starts_ms.values()]
        session.execute(_BEGIN, {"tenant": tenant, "groups": list(starts_ms), "moments": moments})


def advance(session: Session, tenant: TenantId, before_ms: Mapping[int, int], after_ms: int) -> None:
    """Groups are scored up to `after_ms`. Raises Overtaken unless each was scored up to `before_ms` until now."""
    parameters = {
        "tenant": tenant,
        "groups": list(before_ms),
        "before": [moment(ms) for ms in before_ms.values()],
        "after": [moment(after_ms)] * len(before_ms),
    }
    if session.connection().execute(_ADVANCE, parameters).rowcount != len(before_ms):
        raise Overtaken("another worker scores these series")


def save(session: Session, tenant: TenantId, states: Mapping[int, tuple[int, int, bytes]]) -> int:
    """Keep the states of groups: (moment ms, slots, state) of each; answers how many bytes they took."""
    if not states:
        return 0
    packed = [zstandard.compress(state, _LEVEL) for _, _, state in states.values()]
    parameters = {
        "tenant": tenant,
        "groups": list(states),
        "moments": [moment(at_ms) for at_ms, _, _ in states.values()],
        "slots": [slots for _, slots, _ in states.values()],
        "checksums": [zlib.crc32(octets) for octets in packed],
        "states": packed,
    }
    session.execute(_SAVE, parameters)
    return sum(len(octets) for octets in packed)
