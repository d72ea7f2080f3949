"""Stored forecasts: one packed row for each group and moment that they were made at.

Expected values are single floats; half widths are half floats in units of each series' widest; a series of 48 hours
takes some 400 octets before compression.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
import numpy as np
import zstandard
from numpy.typing import NDArray
from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from app.domain.forecast import conformal
from app.domain.forecast.base import Forecast
from app.domain.forecast.outlook import Quality
from app.domain.samples import Float64s
from app.domain.tenancy import TenantId
from app.tsdb.blocks import moment

KEPT_DAYS: Final = 8
_LEVEL: Final = 3
_TYPES: Final = {
    "slots": np.int16, "mean": np.float32, "widths": np.float16, "scale": np.float32, "floor": np.float32,
    "factors": np.float32, "models": np.uint8, "lacking_slots": np.int16, "lacking": np.int16,
}  # fmt: skip

_WRITE = text("""
    insert into forecasts (tenant_id, group_id, made_at, series, lacking, checksum, packed)
    select :tenant, n.group_id, :made_at, n.series, n.lacking, n.checksum, n.packed
    from unnest(cast(:groups as int[]), cast(:series as int[]), cast(:lacking as int[]), cast(:checksums as bigint[]),
        cast(:packed as bytea[])) as n(group_id, series, lacking, checksum, packed) on conflict do nothing
""")
_REPLACE = text("""
    update forecasts set checksum = :checksum, packed = :packed
    where tenant_id = :tenant and group_id = :group and made_at = :made_at
""")
# Uses forecasts_pkey, backwards for each group.
_NEWEST = text("""
    select g.group_id, (extract(epoch from f.made_at) * 1000)::bigint as made_ms, f.checksum, f.packed
    from unnest(cast(:groups as int[])) as g(group_id) cross join lateral (
        select * from forecasts f where f.tenant_id = :tenant and f.group_id = g.group_id and f.made_at < :before
        order by f.made_at desc limit 1) f
""")
_BETWEEN = text("""
    select f.group_id, (extract(epoch from f.made_at) * 1000)::bigint as made_ms, f.checksum, f.packed
    from unnest(cast(:groups as int[])) as g(group_id) join forecasts f on f.group_id = g.group_id
    where f.tenant_id = :tenant and f.made_at >= :first and f.made_at < :end order by f.made_at
""")
_RUN = text("""
    select (extract(epoch from made_at) * 1000)::bigint as made_ms, count(*) as groups, sum(series)::bigint as series,
        sum(lacking)::bigint as lacking,
        (select count(distinct made_at) from forecasts where tenant_id = :tenant) as runs
    from forecasts where tenant_id = :tenant and made_at =
        (select max(made_at) from forecasts where tenant_id = :tenant) group by made_at
""")
_DONE = text("select group_id from forecasts where tenant_id = :tenant and made_at = :made_at")
_DROP = text("delete from forecasts where tenant_id = :tenant and made_at < :before")
_DROP_QUALITY = text("delete from forecast_quality where tenant_id = :tenant and made_at < :before")
_QUALITY = text("""
    insert into forecast_quality as q
        (tenant_id, family, made_at, is_backtest, series, points, inside80, inside95, error, naive_error)
    values (:tenant, :family, :made_at, :is_backtest, :series, :points, :inside80, :inside95, :error, :naive_error)
    on conflict (tenant_id, family, made_at, is_backtest) do update set series = q.series + excluded.series,
        points = q.points + excluded.points, inside80 = q.inside80 + excluded.inside80,
        inside95 = q.inside95 + excluded.inside95, error = q.error + excluded.error,
        naive_error = q.naive_error + excluded.naive_error
""")


@dataclass(frozen=True, kw_only=True)
class GroupForecast:
    """Forecasts of some series of a group, whose first hour ends an hour after `made_ms`.

    slots (s,) ascending, mean (s, h), widths (levels, s, h), floor (s,), factors (levels, s): what the widths
    were multiplied by; models: the name for each. `lacking`: slot -> hours that its history is too short.
    """

    group_id: int
    made_ms: int
    slots: NDArray[np.intp]
    mean: Float64s
    widths: Float64s
    floor: Float64s
    factors: Float64s
    models: tuple[str, ...]
    lacking: Mapping[int, int]

    def forecast(self) -> Forecast:
        """The expected values and ranges, (s, h) each."""
        return conformal.bounded(self.mean, self.widths, floor=self.floor, model="")


@dataclass(frozen=True)
class Run:
    """The newest run of a tenant: when, how many groups and series it has so far, and how many runs are kept."""

    made_ms: int
    groups: int
    series: int
    lacking: int
    runs: int


def write(session: Session, tenant: TenantId, made_ms: int, found: Sequence[GroupForecast]) -> bool:
    """Write forecasts; answers whether all are new: another worker may have been first."""
    if not found:
        return True
    packed = [_packed(each) for each in found]
    parameters = {
        "tenant": tenant,
        "made_at": moment(made_ms),
        "groups": [each.group_id for each in found],
        "series": [len(each.slots) for each in found],
        "lacking": [len(each.lacking) for each in found],
        "checksums": [zlib.crc32(octets) for octets in packed],
        "packed": packed,
    }
    return session.connection().execute(_WRITE, parameters).rowcount == len(found)


def replace(session: Session, tenant: TenantId, its: GroupForecast) -> None:
    """Put another forecast in the place of a group's of the same moment."""
    packed = _packed(its)
    parameters = {
        "tenant": tenant,
        "group": its.group_id,
        "made_at": moment(its.made_ms),
        "checksum": zlib.crc32(packed),
        "packed": packed,
    }
    session.execute(_REPLACE, parameters)


def newest(
    connection: Connection, tenant: TenantId, group_ids: Sequence[int], *, before_ms: int
) -> dict[int, GroupForecast]:
    """The newest forecast of each group that was made before a moment. One that is broken is left out."""
    parameters = {"tenant": tenant, "groups": list(group_ids), "before": moment(before_ms)}
    found = (_unpacked(*row) for row in connection.execute(_NEWEST, parameters))
    return {each.group_id: each for each in found if each is not None}


def between(
    connection: Connection, tenant: TenantId, group_ids: Sequence[int], *, first_ms: int, end_ms: int
) -> dict[int, list[GroupForecast]]:
    """The forecasts of each group that were made at first <= moment < end, in order of time."""
    parameters = {
        "tenant": tenant, "groups": list(group_ids), "first": moment(first_ms), "end": moment(end_ms),
    }  # fmt: skip
    found: dict[int, list[GroupForecast]] = {}
    for row in connection.execute(_BETWEEN, parameters):
        its = _unpacked(*row)
        if its is not None:
            found.setdefault(its.group_id, []).append(its)
    return found


def newest_run(connection: Connection, tenant: TenantId) -> Run | None:
    """The newest run of a tenant; None before the first."""
    row = connection.execute(_RUN, {"tenant": tenant}).one_or_none()
    return None if row is None else Run(row.made_ms, row.groups, row.series, row.lacking, row.runs)


def groups_done(connection: Connection, tenant: TenantId, made_ms: int) -> set[int]:
    """The groups that a run has already."""
    return set(connection.scalars(_DONE, {"tenant": tenant, "made_at": moment(made_ms)}))


def add_quality(
    session: Session, tenant: TenantId, family: str, quality: Quality, *, made_ms: int, is_backtest: bool
) -> None:
    """Add what a run counted of a family to what it has counted so far."""
    if quality.points:
        more = {"tenant": tenant, "family": family, "made_at": moment(made_ms), "is_backtest": is_backtest}
        session.execute(_QUALITY, more | vars(quality))


def drop(session: Session, tenant: TenantId, *, forecasts_before: datetime, quality_before: datetime) -> None:
    """Forget old forecasts, and older figures of how good they were."""
    session.execute(_DROP, {"tenant": tenant, "before": forecasts_before})
    session.execute(_DROP_QUALITY, {"tenant": tenant, "before": quality_before})


def _packed(its: GroupForecast) -> bytes:
    scale = np.maximum(np.abs(its.widths).max(axis=(0, 2), initial=0.0), 1e-30)
    names = sorted(set(its.models))
    arrays: dict[str, Any] = {
        "slots": its.slots,
        "mean": its.mean,
        "widths": its.widths / scale[None, :, None],
        "scale": scale,
        "floor": its.floor,
        "factors": its.factors,
        "models": [names.index(model) for model in its.models],
        "lacking_slots": list(its.lacking),
        "lacking": list(its.lacking.values()),
    }
    octets = {name: np.asarray(arrays[name], dtype=kind).tobytes() for name, kind in _TYPES.items()}
    return zstandard.compress(msgspec.msgpack.encode({"names": names, **octets}), _LEVEL)


def _unpacked(group_id: int, made_ms: int, checksum: int, packed: bytes) -> GroupForecast | None:
    if zlib.crc32(packed) != checksum:
        return None
    found: Any = msgspec.msgpack.decode(zstandard.decompress(packed))
    arrays = {name: np.frombuffer(found[name], dtype=kind) for name, kind in _TYPES.items()}
    count = len(arrays["slots"])
    shape = (count, -1) if count else (0, 0)
    scale = arrays["scale"].astype(np.float64)
    levels = (2, *((count, -1) if count else (0, 0)))
    return GroupForecast(
        group_id=group_id,
        made_ms=made_ms,
        slots=arrays["slots"].astype(np.intp),
        mean=arrays["mean"].reshape(shape).astype(np.float64),
        widths=arrays["widths"].reshape(levels).astype(np.float64) * scale[None, :, None],
        floor=arrays["floor"].astype(np.float64),
        factors=arrays["factors"].reshape(2, count).astype(np.float64),
        models=tuple(found["names"][index] for index in arrays["models"].tolist()),
        lacking=dict(zip(arrays["lacking_slots"].tolist(), arrays["lacking"].tolist(), strict=True)),
    )
