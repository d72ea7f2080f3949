"""What to ask a device in every poll, and how the answers become samples. Compiled once from a survey; pure.

A plan has slots: one for each object identifier that is read. A poll fills an array of slots; the plan turns it into
columns of a batch whose series keys were encoded when the plan was made, so that a poll does no work on labels.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.inventory import InterfaceFacts
from app.domain.labels import METRIC, encode_labels, labels_of
from app.domain.samples import STALE, Batch, Float64s
from ingest.snmp import codec, values
from ingest.snmp.discovery import SYSTEM, Survey, as_number, as_text
from ingest.snmp.expressions import Expression, Linear
from ingest.snmp.profiles import Metric, Table

UP, DURATION, UPTIME = "snmp_up", "snmp_poll_duration_seconds", "device_uptime_seconds"
# Read at the start of every poll: they tell whether the device restarted or its interfaces changed.
HEAD: Final = ("up_time", "if_table_changed", "if_number")
STATUS_COLUMNS: Final = ("admin_status", "oper_status")
OWN_METRICS: Final = (UP, DURATION, UPTIME)
_UNSIGNED: Final = frozenset({codec.COUNTER64, codec.GAUGE32, codec.TIMETICKS})


@dataclass(frozen=True)
class Computed:
    """A metric that is more than one column times a factor: its key, its expression, its slots and constants."""

    key: int
    expression: Expression
    when: Expression | None
    slots: Mapping[str, int]
    constants: Mapping[str, float]


@dataclass(frozen=True)
class Plan:
    """How to poll one device. `keys` are the series: first those of `linear`, then `computed`, then OWN_METRICS.

    `linear_*` are arrays over the first series: slot, factor, and the reading that means nothing (NaN: none does).
    `statuses` are (interface name, slot of its admin status, slot of its oper status).
    """

    names: tuple[bytes, ...]
    slots: Mapping[bytes, int]
    keys: tuple[bytes, ...]
    linear_slots: NDArray[np.int64]
    linear_factors: Float64s
    linear_voids: Float64s
    computed: tuple[Computed, ...]
    statuses: tuple[tuple[str, int, int], ...]
    status_slots: tuple[int, ...]

    def take(self, varbinds: Sequence[codec.Varbind], filled: list[float]) -> int:
        """Put an answer into the slots `filled`; answers how many of its varbinds the device has no value for."""
        slots, missing, from_bytes = self.slots, 0, int.from_bytes
        for name, tag, content in varbinds:
            slot = slots.get(name)
            if slot is None:
                continue
            # Most of what is read, without a call; the odd sizes that number() knows of go there.
            if tag in _UNSIGNED or (tag == codec.COUNTER32 and len(content) <= 5):
                filled[slot] = from_bytes(content, "big")
                continue
            if tag == codec.INTEGER:
                filled[slot] = from_bytes(content, "big", signed=True)
                continue
            number = values.number(tag, content)
            if number is not None:
                filled[slot] = number
            elif tag in values.MISSING:
                missing += 1
        return missing

    def blank(self) -> list[float]:
        """Slots without values."""
        return [float("nan")] * len(self.names)

    def batch(self, filled: Sequence[float], *, at_ms: int, duration_s: float) -> Batch:
        """The samples of a poll that was answered."""
        read = np.asarray(filled, dtype=np.float64)
        samples = np.full(len(self.keys), np.nan)
        raw = read[self.linear_slots]
        linear = raw * self.linear_factors
        linear[raw == self.linear_voids] = np.nan
        samples[: len(linear)] = linear
        for each in self.computed:
            samples[each.key] = _compute(each, filled)
        samples[-3], samples[-2], samples[-1] = 1.0, duration_s, read[0] / 100
        return _columns(self.keys, samples, at_ms)

    def batch_down(self, *, at_ms: int, duration_s: float, is_stale: bool) -> Batch:
        """The samples of a poll that was not answered; with `is_stale` all other series end here."""
        samples = np.full(len(self.keys), np.nan)
        samples[-3], samples[-2] = 0.0, duration_s
        return _columns(self.keys, samples, at_ms, ended=np.arange(len(self.keys) - 3) if is_stale else None)

    def batch_ended(self, keys: Sequence[bytes], *, at_ms: int) -> Batch:
        """Stale markers for series that this plan no longer has."""
        return _columns(keys, np.full(len(keys), np.nan), at_ms, ended=np.arange(len(keys)))


@dataclass
class _Draft:
    """A plan in the making."""

    names: dict[bytes, int] = field(default_factory=dict)
    linear: list[tuple[bytes, int, Linear]] = field(default_factory=list)
    computed: list[tuple[bytes, Expression, Expression | None, dict[str, int], dict[str, float]]] = field(
        default_factory=list
    )
    keys: set[bytes] = field(default_factory=set)
    statuses: dict[str, dict[str, int]] = field(default_factory=dict)

    def slot(self, name: bytes) -> int:
        return self.names.setdefault(name, len(self.names))


@dataclass(frozen=True)
class _Row:
    """One row of a table: the names of its live columns, its numbers and texts, and the labels all its series have."""

    live: Mapping[str, bytes]
    numbers: Mapping[str, float | int | None]
    texts: Mapping[str, str]
    labels: Mapping[str, str]


def compile_plan(survey: Survey, interfaces: Sequence[InterfaceFacts], *, labels: Mapping[str, str]) -> Plan:
    """The plan of a device; `labels` are those that all its series have (device, site, role)."""
    draft = _Draft()
    for name in HEAD:
        draft.slot(SYSTEM[name])
    done: set[str] = set()
    for table in survey.profile.tables:
        rows = (
            _interface_rows(table, survey, interfaces)
            if table.is_of_interfaces
            else _own_rows(table, survey, interfaces)
        )
        if rows and table.name not in done:
            done.add(table.name)
            for row in rows:
                _add_row(draft, table, row, labels)
    return _finish(draft, labels)


def bare_plan(labels: Mapping[str, str]) -> Plan:
    """The plan of a device that never answered: it only says so."""
    draft = _Draft()
    draft.slot(SYSTEM["up_time"])
    return _finish(draft, labels)


def _finish(draft: _Draft, labels: Mapping[str, str]) -> Plan:
    own = [encode_labels(labels_of({**labels, METRIC: name})) for name in OWN_METRICS]
    first = len(draft.linear)
    statuses = tuple(
        (name, found["admin_status"], found["oper_status"])
        for name, found in draft.statuses.items()
        if len(found) == len(STATUS_COLUMNS)
    )
    return Plan(
        names=tuple(draft.names),
        slots=draft.names,
        keys=(*(key for key, _, _ in draft.linear), *(key for key, *_ in draft.computed), *own),
        linear_slots=np.array([slot for _, slot, _ in draft.linear], dtype=np.int64),
        linear_factors=np.array([linear.factor for _, _, linear in draft.linear], dtype=np.float64),
        linear_voids=np.array(
            [np.nan if linear.void is None else linear.void for _, _, linear in draft.linear], dtype=np.float64
        ),
        computed=tuple(
            Computed(first + place, expression, when, slots, constants)
            for place, (_, expression, when, slots, constants) in enumerate(draft.computed)
        ),
        statuses=statuses,
        status_slots=tuple(slot for _, *slots in statuses for slot in slots),
    )


def _interface_rows(table: Table, survey: Survey, interfaces: Sequence[InterfaceFacts]) -> list[_Row]:
    rows = []
    for port in interfaces:
        index = codec.encode_arcs([port.if_index])
        rows.append(_row(table, survey, index, {"ifName": port.name}, {"index": str(port.if_index)}))
    return rows


def _own_rows(table: Table, survey: Survey, interfaces: Sequence[InterfaceFacts]) -> list[_Row]:
    indexes = {index for oid in table.columns.values() for index in survey.columns.get(oid, {})}
    rows: list[_Row] = []
    for index in sorted(indexes, key=codec.decode_arcs):
        arcs = codec.decode_arcs(index)
        texts = {"index": codec.format_oid(arcs), "row": str(len(rows) + 1)}
        row = _row(table, survey, index, {}, texts)
        if all(name in row.texts for name in table.maps):
            rows.append(row)
    return [_with_interface(row, interfaces) for row in rows]


def _row(table: Table, survey: Survey, index: bytes, labels: Mapping[str, str], texts: Mapping[str, str]) -> _Row:
    cells = {
        name: survey.columns.get(oid, {}).get(index) for name, oid in (*table.columns.items(), *table.facts.items())
    }
    live = {name: oid + index for name, oid in table.columns.items() if as_number(cells[name]) is not None}
    told = {name: as_text(cells[name]) for name in table.facts}
    for name, meanings in table.maps.items():
        told[name] = meanings.get(told[name], "")
    return _Row(
        live=live,
        numbers={name: as_number(cell) for name, cell in cells.items()},
        texts={name: text for name, text in {**told, **texts}.items() if text},
        labels=labels,
    )


def _with_interface(row: _Row, interfaces: Sequence[InterfaceFacts]) -> _Row:
    """The row with the label ifName where its own name starts with an interface's: "Ethernet1 rx power"."""
    own = row.texts.get("name") or row.texts.get("title") or ""
    called = {name: port.name for port in interfaces for name in (port.name, port.description) if name}
    for name in sorted(called, key=len, reverse=True):
        if own.startswith(name) and re.match(r"$|[^0-9A-Za-z/.:]", own[len(name) :]) and len(name) > 1:
            return _Row(row.live, row.numbers, row.texts, {**row.labels, "ifName": called[name]})
    return row


def _add_row(draft: _Draft, table: Table, row: _Row, labels: Mapping[str, str]) -> None:
    for metric in table.metrics:
        expression = _choose(metric, row)
        if expression is None or not _may_hold(metric.when, row):
            continue
        own = {name: _fill(template, row.texts) for name, template in metric.labels.items()}
        key = _new_key(draft, {**labels, **row.labels, **own, METRIC: metric.name}, own)
        when = metric.when if metric.when and metric.when.names & row.live.keys() else None
        if when is None and expression.linear and expression.linear.column in row.live:
            draft.linear.append((key, draft.slot(row.live[expression.linear.column]), expression.linear))
            continue
        needed = expression.names | (when.names if when else frozenset())
        slots = {name: draft.slot(row.live[name]) for name in needed if name in row.live}
        constants = {name: float(row.numbers[name] or 0) for name in needed - slots.keys()}
        draft.computed.append((key, expression, when, slots, constants))
    if table.is_of_interfaces:
        found = {name: draft.slot(row.live[name]) for name in STATUS_COLUMNS if name in row.live}
        draft.statuses[row.labels["ifName"]] = found


def _choose(metric: Metric, row: _Row) -> Expression | None:
    """The first of the metric's expressions that has an answer now, else the first that may have one later."""
    possible = [
        each
        for each in metric.values
        if all(name in row.live or row.numbers.get(name) is not None for name in each.names)
        and each.names & row.live.keys()
    ]
    return next((each for each in possible if each.evaluate(row.numbers) is not None), next(iter(possible), None))


def _may_hold(when: Expression | None, row: _Row) -> bool:
    """Whether a condition can become true: one over facts alone is settled now."""
    return when is None or bool(when.names & row.live.keys()) or when.holds(row.numbers)


def _new_key(draft: _Draft, labels: dict[str, str], own: Mapping[str, str]) -> bytes:
    """The key of a new series; where two rows would have the same, the later gets a number."""
    key = encode_labels(labels_of(labels))
    number = 1
    while key in draft.keys:
        number += 1
        changed = {name: f"{value} ({number})" for name, value in list(own.items())[:1]} or {"row": str(number)}
        key = encode_labels(labels_of({**labels, **changed}))
    draft.keys.add(key)
    return key


def _fill(template: str, texts: Mapping[str, str]) -> str:
    """The template with {name} replaced, {a|b} by the first that the row has."""

    def choose(match: re.Match[str]) -> str:
        return next((texts[name] for name in match[1].split("|") if texts.get(name)), "")

    return re.sub(r"\{([a-z_|]+)\}", choose, template).strip()


def _compute(each: Computed, filled: Sequence[float]) -> float:
    columns: dict[str, float | None] = dict(each.constants)
    for name, slot in each.slots.items():
        value = filled[slot]
        columns[name] = None if value != value else value  # noqa: PLR0124  NaN alone differs from itself
    if each.when is not None and not each.when.holds(columns):
        return float("nan")
    found = each.expression.evaluate(columns)
    return float("nan") if found is None else found


def _columns(keys: Sequence[bytes], samples: Float64s, at_ms: int, *, ended: NDArray[np.int64] | None = None) -> Batch:
    """The samples that are numbers, and stale markers for the series `ended`, as one batch."""
    if ended is not None:
        samples[ended] = STALE
    is_there = ~np.isnan(samples)
    if ended is not None:
        is_there[ended] = True
    places = np.flatnonzero(is_there)
    return Batch(
        keys=keys if len(places) == len(keys) else [keys[place] for place in places.tolist()],
        series=np.arange(len(places), dtype=np.int32),
        ts_ms=np.full(len(places), at_ms, dtype=np.int64),
        values=samples[places],
    )
