"""The catalogue of series: which place (group and slot) belongs to which series key.

Places come from the table alone, so that processes agree. Each process keeps those of the tenants it has met, until
the tenant's fence is moved because series go (app/tsdb/gone.py).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from threading import Lock
from typing import Final, cast

import msgspec
import numpy as np
from redis.exceptions import RedisError
from sqlalchemy import text

from app import clock
from app.domain.labels import (
    METRIC,
    WIDEST,
    LabelLimits,
    Labels,
    check_labels,
    decode_labels,
    encode_labels,
    labels_of,
    value_of,
)
from app.domain.refusals import AT_LIMIT, TOO_MANY_NEW
from app.domain.samples import Int64s
from app.domain.tenancy import TenantId
from app.errors import DecodeError, Unavailable
from app.tsdb.buckets import draw
from app.tsdb.known import NOT_KNOWN, KnownSeries
from app.valkey import valkey
from models.session import generation, tenant_connection

# A place is one integer: group * 256 + slot. A group has at most 240 slots (migration 0002 says why).
SLOTS_BITS = 8
SLOTS_PER_GROUP = 240

# How many series are read at once when a process meets a tenant.
LOAD_AT_ONCE = 20_000
# How many new series one statement registers: bounds the time that the tenant's lock is held.
REGISTER_AT_ONCE = 5_000
# And how many a request's thread takes apart at once: their labels take some kB each, which the process keeps.
RESOLVE_AT_ONCE = 1_000
# How long a tenant at its limit of series is believed to be still there.
FULL_S = 5.0
LONGEST_GROUP_KEY = 300

# What changes when series are about to go. A place that was asked for before may not be written to afterwards.
FENCE: Final = "ingest:places:{tenant}"

# A series that is about to go is not known: who meets it registers it, and it stays.
_LOAD = text(
    "select key, group_id::bigint * 256 + slot as place from series where tenant_id = :tenant and retired_at is null"
)
# Uses series_key_idx.
_LOOK_UP = text(
    # Each by itself: where the server does not know yet how large a tenant is, a join reads all of it.
    "select s.key, s.group_id::bigint * 256 + s.slot as place from unnest(cast(:keys as bytea[])) k(key)"
    " cross join lateral (select f.key, f.group_id, f.slot from series f where f.tenant_id = :tenant"
    " and sha256(f.key) = sha256(k.key) and f.retired_at is null limit 1) s"
)
# Uses series_group_id_slot_key.
_COUNT_PLACES = text(
    "select count(*) from unnest(cast(:groups as int[]), cast(:slots as int[])) p(group_id, slot)"
    " join series s on s.tenant_id = :tenant and s.group_id = p.group_id and s.slot = p.slot"
)
_REGISTER = text(
    "select * from watchfloor_register_series(:tenant, cast(:keys as bytea[]), cast(:labels as text[]),"
    " cast(:groups as text[]))"
)


@dataclass(frozen=True)
class SeriesBudget:
    """What a tenant's new series may be; None for `new_per_min` is no bound (its limit of series always holds)."""

    labels: LabelLimits = WIDEST
    new_per_min: int | None = None


UNBOUND = SeriesBudget()

# By generation of the database, and tenant.
_known: dict[tuple[int, TenantId], KnownSeries] = {}
_fences: dict[tuple[int, TenantId], str] = {}
_full_s: dict[tuple[int, TenantId], float] = {}
_loading = Lock()


def series_places(
    tenant: TenantId, keys: Sequence[bytes], budget: SeriesBudget = UNBOUND
) -> tuple[Int64s, dict[int, str]]:
    """The place of each series, registering those that are new as far as the budget goes.

    Answers places (k,) int64, -1 where the series cannot be taken, and the reasons for those by index.
    Two round trips for each RESOLVE_AT_ONCE unknown keys of a request.
    """
    known = _places_of(tenant)
    places = known.places(keys)
    unknown = np.flatnonzero(places < 0).tolist()
    reasons: dict[int, str] = {}
    for first in range(0, len(unknown), RESOLVE_AT_ONCE):
        some = unknown[first : first + RESOLVE_AT_ONCE]
        reasons |= _resolve(tenant, keys, places, unknown=some, budget=budget)
    return places, reasons


def present_places(tenant: TenantId, keys: Sequence[bytes]) -> tuple[Int64s, dict[int, str]]:
    """series_places() for who writes past the stream, and so past the fence; the caller has the tenant's turn."""
    places, reasons = series_places(tenant, keys)
    given = np.unique(places[places >= 0])
    parameters = {"tenant": tenant, "groups": (given >> SLOTS_BITS).tolist(), "slots": (given & 0xFF).tolist()}
    with tenant_connection(tenant) as connection:
        there = connection.scalar(_COUNT_PLACES, parameters)
    if there == len(given):
        return places, reasons
    forget(tenant)
    return series_places(tenant, keys)


def fence(tenant: TenantId) -> str:
    """The fence that the places this process knows of a tenant stand behind; ask before series_places().

    What is appended with it is refused once the fence was moved; then forget(), and ask for the places again.
    Raises Unavailable.
    """
    name = (generation(), tenant)
    found = _fences.get(name)
    if found is None:
        with _loading:
            # What is known already may be older than the fence.
            _known.pop(name, None)
            found = _fences[name] = _read_fence(tenant)
    return found


def forget(tenant: TenantId) -> None:
    """Forget the places of a tenant, and its fence: both are read anew."""
    with _loading:
        _fences.pop((generation(), tenant), None)
        _known.pop((generation(), tenant), None)


def preload(tenants: Sequence[TenantId]) -> None:
    """Learn every series of these tenants before serving, so that the first requests are not slow."""
    for tenant in tenants:
        with suppress(Unavailable):  # a start does not wait for Valkey: the first request looks once more
            fence(tenant)
        _places_of(tenant)


def move_fence(tenant: TenantId) -> None:
    """Have every process ask anew for the tenant's places: nothing is appended with those of before. For gone.py."""
    valkey().set(FENCE.format(tenant=tenant), secrets.token_hex(8))


def group_key(labels: Labels) -> str:
    """What arrives together with this series: its scrape target, else its device, else all series of its metric.

    `instance` goes first because exporters use `device` for a disk or a port of the target.
    """
    job, instance = value_of(labels, "job"), value_of(labels, "instance")
    if instance:
        key = f"target {job} {instance}"
    elif device := value_of(labels, "device"):
        key = f"device {device}"
    else:
        key = f"metric {value_of(labels, METRIC)}"
    return key if len(key) <= LONGEST_GROUP_KEY else "hash " + hashlib.sha256(key.encode()).hexdigest()


def _places_of(tenant: TenantId) -> KnownSeries:
    name = (generation(), tenant)
    known = _known.get(name)
    if known is None:
        with _loading:
            known = _known.get(name)
            if known is None:
                _forget_other_databases(name[0])
                known = _known[name] = _load(tenant)
    return known


def _read_fence(tenant: TenantId) -> str:
    """It is made when there is none, so that a server that lost it does not seem to have the one of before."""
    name = FENCE.format(tenant=tenant)
    try:
        valkey().set(name, secrets.token_hex(8), nx=True)
        return cast("bytes", valkey().get(name)).decode()
    except RedisError as error:
        raise Unavailable("the ingest stream") from error


def _load(tenant: TenantId) -> KnownSeries:
    """All series of a tenant, a piece at a time: their keys take ten times the memory of what is kept."""
    known = KnownSeries()
    with tenant_connection(tenant) as connection:
        rows = connection.execute(_LOAD, {"tenant": tenant}, execution_options={"yield_per": LOAD_AT_ONCE})
        for piece in rows.partitions():
            known.update((row.key, row.place) for row in piece)
    return known


def _forget_other_databases(current: int) -> None:
    for kept in (_known, _fences):
        for name in [name for name in kept if name[0] != current]:
            del kept[name]


def _resolve(
    tenant: TenantId, keys: Sequence[bytes], places: Int64s, *, unknown: list[int], budget: SeriesBudget
) -> dict[int, str]:
    """Fill in the places of the keys that this process has not met; answers the reasons of those that stay out."""
    known = _places_of(tenant)
    reasons: dict[int, str] = {}
    canonical: dict[int, bytes] = {}
    fresh: dict[bytes, Labels] = {}
    for index in unknown:
        try:
            labels = labels_of(decode_labels(keys[index]))
        except DecodeError as error:
            reasons[index] = f"malformed labels: {error.why}"
            continue
        if reason := check_labels(labels, budget.labels):
            reasons[index] = reason
            continue
        canonical[index] = key = encode_labels(labels)
        fresh[key] = labels
    fresh = _unknown_of(known, fresh)
    refused = _take_in(tenant, known, fresh, budget) if fresh else AT_LIMIT
    # Not kept under a key that is not canonical: a sender could write one series in endlessly many ways.
    for index, place in zip(canonical, known.places(list(canonical.values())).tolist(), strict=True):
        if place == NOT_KNOWN:
            reasons[index] = refused
        else:
            places[index] = place
    return reasons


def _unknown_of(known: KnownSeries, series: dict[bytes, Labels]) -> dict[bytes, Labels]:
    """Those of some series that this process does not know."""
    places = known.places(list(series)).tolist()
    return {key: labels for (key, labels), place in zip(series.items(), places, strict=True) if place == NOT_KNOWN}


def _take_in(tenant: TenantId, known: KnownSeries, fresh: dict[bytes, Labels], budget: SeriesBudget) -> str:
    """Learn the places of these series, registering those that no process has met; answers why any stay out."""
    if _is_full(tenant):
        return AT_LIMIT
    _learn(tenant, known, fresh)
    new = _unknown_of(known, fresh)
    granted = len(new)
    if new and budget.new_per_min is not None:
        rate = budget.new_per_min
        granted = draw(f"quota:series:{tenant}", per_s=rate / 60, capacity=rate, wanted=len(new), needed=1).granted
    if granted:
        _register(tenant, known, dict(islice(new.items(), granted)))
    return TOO_MANY_NEW if granted < len(new) else AT_LIMIT


def _learn(tenant: TenantId, known: KnownSeries, fresh: dict[bytes, Labels]) -> None:
    """The places that other processes registered meanwhile."""
    with tenant_connection(tenant) as connection:
        rows = connection.execute(_LOOK_UP, {"tenant": tenant, "keys": list(fresh)}).all()
    known.update((row.key, row.place) for row in rows)


def _register(tenant: TenantId, known: KnownSeries, fresh: dict[bytes, Labels]) -> None:
    # By metric first: a query reads the slots of one metric, and neighbours are read in one piece.
    ordered = iter(sorted(fresh.items(), key=lambda item: (value_of(item[1], METRIC), item[1])))
    while chunk := dict(islice(ordered, REGISTER_AT_ONCE)):
        parameters = {
            "tenant": tenant,
            "keys": list(chunk),
            "labels": [msgspec.json.encode(dict(labels)).decode() for labels in chunk.values()],
            "groups": [group_key(labels) for labels in chunk.values()],
        }
        with tenant_connection(tenant) as connection:
            rows = connection.execute(_REGISTER, parameters).all()
        known.update((key, place) for key, place in rows)
        if len(rows) < len(chunk):
            _full_s[generation(), tenant] = clock.monotonic_s() + FULL_S


def _is_full(tenant: TenantId) -> bool:
    """Whether the tenant was at its limit a moment ago; asking the table in each request would cost everybody."""
    return clock.monotonic_s() < _full_s.get((generation(), tenant), 0.0)
