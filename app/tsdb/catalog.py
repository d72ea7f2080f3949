"""The catalogue of series: which place (group and slot) belongs to which series key.

Places come from the table alone, so that processes agree. Each process keeps those of the tenants it has met.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import islice, repeat
from threading import Lock

import msgspec
import numpy as np
from sqlalchemy import text

from app import clock
from app.domain.labels import METRIC, Labels, check_labels, decode_labels, encode_labels, labels_of, value_of
from app.domain.samples import Int64s
from app.domain.tenancy import TenantId
from app.errors import DecodeError
from models.session import generation, tenant_connection

# A place is one integer: group * 256 + slot. A group has at most 240 slots (migration 0002 says why).
SLOTS_BITS = 8
SLOTS_PER_GROUP = 240
AT_LIMIT = "the tenant is at its limit of series"

# How many new series one statement registers: bounds the time that the tenant's lock is held.
REGISTER_AT_ONCE = 5_000
# How long a tenant at its limit of series is believed to be still there.
FULL_S = 5.0
LONGEST_GROUP_KEY = 300

_LOAD = text("select key, group_id::bigint * 256 + slot as place from series where tenant_id = :tenant")
_REGISTER = text(
    "select * from watchfloor_register_series(:tenant, cast(:keys as bytea[]), cast(:labels as text[]),"
    " cast(:groups as text[]))"
)

# (generation of the database, tenant) -> series key -> place.
_known: dict[tuple[int, TenantId], dict[bytes, int]] = {}
_full_s: dict[tuple[int, TenantId], float] = {}
_loading = Lock()


def series_places(tenant: TenantId, keys: Sequence[bytes]) -> tuple[Int64s, dict[int, str]]:
    """The place of each series, registering those that are new.

    Answers places (k,) int64, -1 where the series cannot be taken, and the reasons for those by index.
    One round trip for all unknown keys of a request.
    """
    known = _places_of(tenant)
    places = np.fromiter(map(known.get, keys, repeat(-1)), np.int64, len(keys))
    unknown = np.flatnonzero(places < 0).tolist()
    return (places, _resolve(tenant, known, keys, places, unknown)) if unknown else (places, {})


def preload(tenants: Sequence[TenantId]) -> None:
    """Learn every series of these tenants before serving, so that the first requests are not slow."""
    for tenant in tenants:
        _places_of(tenant)


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


def _places_of(tenant: TenantId) -> dict[bytes, int]:
    name = (generation(), tenant)
    known = _known.get(name)
    if known is None:
        with _loading:
            known = _known.get(name)
            if known is None:
                _forget_other_databases(name[0])
                with tenant_connection(tenant) as connection:
                    known = {row.key: row.place for row in connection.execute(_LOAD, {"tenant": tenant})}
                _known[name] = known
    return known


def _forget_other_databases(current: int) -> None:
    for name in [name for name in _known if name[0] != current]:
        del _known[name]


def _resolve(
    tenant: TenantId, known: dict[bytes, int], keys: Sequence[bytes], places: Int64s, unknown: list[int]
) -> dict[int, str]:
    """Fill in the places of the keys that this process has not met; answers the reasons of those that stay out."""
    reasons: dict[int, str] = {}
    canonical: dict[int, bytes] = {}
    fresh: dict[bytes, Labels] = {}
    for index in unknown:
        try:
            labels = labels_of(decode_labels(keys[index]))
        except DecodeError as error:
            reasons[index] = f"malformed labels: {error.why}"
            continue
        if reason := check_labels(labels):
            reasons[index] = reason
            continue
        canonical[index] = key = encode_labels(labels)
        if key not in known:
            fresh[key] = labels
    if fresh and not _is_full(tenant):
        _register(tenant, known, fresh)
    for index, key in canonical.items():
        place = known.get(key)
        if place is None:
            reasons[index] = AT_LIMIT
        else:
            # Not kept under a key that is not canonical: a sender could write one series in endlessly many ways.
            places[index] = place
    return reasons


def _register(tenant: TenantId, known: dict[bytes, int], fresh: dict[bytes, Labels]) -> None:
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
