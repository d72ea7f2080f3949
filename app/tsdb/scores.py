"""The scores of detection: a byte for each series and time, one row for each group and time.

0 is "not scored", q above it stands for (q - 1) / 64: from 0 to 3.97, where 1.0 (q = 65) is the boundary. What is
written is never above what was found, so a score below the boundary stays below it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from app.domain.labels import Labels
from app.domain.samples import Float64s, Int64s, absent_array
from app.domain.tenancy import TenantId
from app.tsdb.blocks import moment
from app.tsdb.selection import Group

STEPS_PER_UNIT: Final = 64
# Bytes 1 to 255.
MOST: Final = 254
# How long scores are kept; anomalies stay longer.
KEPT_DAYS: Final = 14

_WRITE = text("""
    insert into anomaly_scores (tenant_id, group_id, ts, scores)
    select :tenant, * from unnest(cast(:groups as int[]), cast(:moments as timestamptz[]), cast(:scores as bytea[]))
    on conflict (tenant_id, group_id, ts) do update set scores = excluded.scores
""")
# Uses anomaly_scores_pkey.
_READ = text("""
    select s.group_id, (extract(epoch from s.ts) * 1000)::bigint as ts_ms, s.scores
    from unnest(cast(:groups as int[])) as g(group_id) join anomaly_scores s on s.group_id = g.group_id
    where s.tenant_id = :tenant and s.ts >= :start and s.ts <= :end order by s.group_id, s.ts
""")
# Rows of one width are one text; the order among them does not matter to who counts. Uses anomaly_scores_pkey.
_PACKED = text("""
    select s.group_id, octet_length(s.scores) as width, s.ts > :start as is_inside, string_agg(s.scores, '') as octets
    from anomaly_scores s where s.tenant_id = :tenant and s.ts > :before and s.ts <= :end group by 1, 2, 3
""")
_STRETCHES = text("""
    select s.group_id, octet_length(s.scores) as width,
        floor((extract(epoch from s.ts) * 1000 - :start_ms) / :length)::int as stretch,
        string_agg(s.scores, '') as octets
    from unnest(cast(:groups as int[])) as g(group_id) join anomaly_scores s on s.group_id = g.group_id
    where s.tenant_id = :tenant and s.ts >= :start and s.ts < :end group by 1, 2, 3
""")
# Uses anomaly_scores_pkey: one series after the other.
_WHEN = text("""
    select p.place, (extract(epoch from x.ts) * 1000)::bigint as ts_ms
    from unnest(cast(:groups as int[]), cast(:slots as int[]), cast(:octets as int[])) with ordinality
        as p(group_id, slot, octet, place),
    lateral (
        select s.ts from anomaly_scores s where s.tenant_id = :tenant and s.group_id = p.group_id
            and s.ts > :start and s.ts <= :end
            and octet_length(s.scores) > p.slot and get_byte(s.scores, p.slot) = p.octet
        order by s.ts limit 1
    ) x
""")
_DROP = text("delete from anomaly_scores where tenant_id = :tenant and ts < :before")


@dataclass(frozen=True)
class ScoredRow:
    """The scores of one group at one time; `scores` as encode() makes them."""

    group_id: int
    ts_ms: int
    scores: bytes


def encode(scores: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Scores (0 and above) as bytes; same shape. NaN becomes "not scored"."""
    there = ~np.isnan(scores)
    steps = np.clip(np.floor(np.where(there, scores, 0.0) * STEPS_PER_UNIT), 0, MOST)
    return np.where(there, steps + 1, 0).astype(np.uint8)


def decode(octets: NDArray[np.uint8]) -> Float64s:
    """What the bytes stand for; ABSENT where nothing was scored. Same shape."""
    values = absent_array(octets.shape)
    there = octets > 0
    values[there] = (octets[there].astype(np.float64) - 1) / STEPS_PER_UNIT
    return values


def write(session: Session, tenant: TenantId, rows: Sequence[ScoredRow]) -> None:
    """Write the scores of groups at times; what stood there is replaced."""
    if rows:
        parameters = {
            "tenant": tenant,
            "groups": [row.group_id for row in rows],
            "moments": [moment(row.ts_ms) for row in rows],
            "scores": [row.scores for row in rows],
        }
        session.execute(_WRITE, parameters)


def read(
    connection: Connection, tenant: TenantId, group_ids: Sequence[int], *, start_ms: int, end_ms: int
) -> dict[int, tuple[Int64s, Float64s]]:
    """The scores of each group at start <= ts <= end: times (t,) and values (t, slots), ABSENT where there is none."""
    parameters = {"tenant": tenant, "groups": list(group_ids), "start": moment(start_ms), "end": moment(end_ms)}
    rows: dict[int, list[tuple[int, bytes]]] = {}
    for group_id, ts_ms, scores in connection.execute(_READ, parameters):
        rows.setdefault(group_id, []).append((ts_ms, scores))
    found = {}
    for group_id, its in rows.items():
        width = max(len(scores) for _, scores in its)
        octets = np.frombuffer(b"".join(scores.ljust(width, b"\0") for _, scores in its), dtype=np.uint8)
        times = np.array([ts_ms for ts_ms, _ in its], dtype=np.int64)
        found[group_id] = (times, decode(octets.reshape(len(its), width)))
    return found


def packed(
    connection: Connection, tenant: TenantId, *, before_ms: int, start_ms: int, end_ms: int
) -> dict[int, tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """The bytes of every group of a tenant, (t, slots) in no order of time: in (start, end], and in (before, start]."""
    parameters = {
        "tenant": tenant,
        "before": moment(before_ms),
        "start": moment(start_ms),
        "end": moment(end_ms),
    }
    rows: dict[int, dict[bool, list[NDArray[np.uint8]]]] = {}
    for group_id, width, is_inside, octets in connection.execute(_PACKED, parameters):
        if width:
            matrix = np.frombuffer(octets, dtype=np.uint8).reshape(-1, width)
            rows.setdefault(group_id, {}).setdefault(is_inside, []).append(matrix)
    return {group_id: (_joined(its.get(True, [])), _joined(its.get(False, []))) for group_id, its in rows.items()}


def highest(
    connection: Connection, tenant: TenantId, groups: Sequence[Group], *, start_ms: int, length_ms: int, count: int
) -> tuple[NDArray[np.uint8], list[Labels | None]]:
    """For `count` stretches from start_ms on the highest byte of these series (count,), and whose it was."""
    peaks = np.zeros(count, dtype=np.uint8)
    whose: list[Labels | None] = [None] * count
    by_id = {group.group_id: group for group in groups}
    parameters = {
        "tenant": tenant,
        "groups": list(by_id),
        "start_ms": start_ms,
        "length": length_ms,
        "start": moment(start_ms),
        "end": moment(start_ms + count * length_ms),
    }
    for group_id, width, stretch, octets in connection.execute(_STRETCHES, parameters):
        group = by_id[group_id]
        known = np.flatnonzero(group.slots < width)
        if not len(known):
            continue
        own = np.frombuffer(octets, dtype=np.uint8).reshape(-1, width)[:, group.slots[known]].max(axis=0)
        best = int(own.argmax())
        if own[best] > peaks[stretch]:
            peaks[stretch], whose[stretch] = own[best], group.labels[int(known[best])]
    return peaks, whose


def when(
    connection: Connection,
    tenant: TenantId,
    wanted: Sequence[tuple[int, int, int]],
    *,
    start_ms: int,
    end_ms: int,
) -> dict[tuple[int, int], int]:
    """When (ms) the series of a group and slot first had a byte in (start, end]; `wanted` holds all three."""
    parameters = {
        "tenant": tenant,
        "groups": [group_id for group_id, _, _ in wanted],
        "slots": [slot for _, slot, _ in wanted],
        "octets": [octet for _, _, octet in wanted],
        "start": moment(start_ms),
        "end": moment(end_ms),
    }
    rows = connection.execute(_WHEN, parameters)
    return {wanted[row.place - 1][:2]: row.ts_ms for row in rows}


def _joined(pieces: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """One matrix, as wide as the widest; what is missing was not scored."""
    if not pieces:
        return np.empty((0, 0), dtype=np.uint8)
    width = max(piece.shape[1] for piece in pieces)
    return np.concatenate([np.pad(piece, ((0, 0), (0, width - piece.shape[1]))) for piece in pieces])


def drop(session: Session, tenant: TenantId, before: datetime) -> None:
    """Forget the scores of before a moment."""
    session.execute(_DROP, {"tenant": tenant, "before": before})
