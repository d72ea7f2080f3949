"""Matchers to series: an index of the catalogue does the equalities, this process the rest.

Answers are kept by each process. The catalogue grows in the order of its ids, so an answer is brought up to date by
asking for what came after it; when series have gone (app/tsdb/gone.py) it is made anew.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from app.domain.labels import Labels, Matcher, MatchOp, decode_labels, value_of
from app.domain.tenancy import TenantId
from app.promql.label_sets import LabelSets
from models.session import generation

# How many answers a process keeps, and how many series in all of them: a series of 10 labels takes about 1 kB.
MOST_KEPT: Final = 500
MOST_SERIES_KEPT: Final = 100_000

# Uses series_newest_idx and series_purges_newest_idx.
_NEWEST = text(
    "select (select max(id) from series where tenant_id = :tenant) as series,"
    " (select max(id) from series_purges where tenant_id = :tenant) as purge"
)


@dataclass(frozen=True)
class Group:
    """The selected series of one group: slot and labels of each."""

    group_id: int
    slots: NDArray[np.intp]
    labels: tuple[Labels, ...]

    @cached_property
    def first_slot(self) -> int:
        """The lowest slot."""
        return int(self.slots.min())

    @cached_property
    def span(self) -> int:
        """How many slots lie from the lowest to the highest."""
        return int(np.ptp(self.slots)) + 1

    @cached_property
    def is_gapless(self) -> bool:
        """Whether the slots are one after the other."""
        return self.span == len(self.slots) and bool((np.diff(self.slots) == 1).all())


@dataclass
class Selection:
    """The series that satisfy some matchers, among those up to id `newest`, after the purge with the id `purge`."""

    newest: int = 0
    purge: int = 0
    members: dict[int, list[tuple[int, Labels]]] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)
    size: int = 0


_kept: OrderedDict[tuple[int, TenantId, tuple[Matcher, ...]], Selection] = OrderedDict()
_lock = Lock()


def select_series(connection: Connection, tenant: TenantId, matchers: Sequence[Matcher]) -> list[Group]:
    """The series of a tenant that satisfy all matchers, by group."""
    newest, purge = (found or 0 for found in connection.execute(_NEWEST, {"tenant": tenant}).one())
    name = (generation(), tenant, tuple(matchers))
    with _lock:
        kept = _kept.get(name, Selection())
        if name in _kept:
            _kept.move_to_end(name)
    if kept.purge < purge:
        kept = Selection(purge=purge)
    if kept.newest < newest:
        kept = _brought_up_to_date(kept, newest, _load(connection, tenant, matchers, kept.newest))
        with _lock:
            _keep(name, kept)
    return kept.groups


def _brought_up_to_date(kept: Selection, newest: int, fresh: Sequence[tuple[int, int, Labels]]) -> Selection:
    """A new selection: threads that hold the old one go on with it."""
    if not fresh:
        return Selection(newest, kept.purge, kept.members, kept.groups, kept.size)
    members = {group_id: list(series) for group_id, series in kept.members.items()}
    for group_id, slot, labels in fresh:
        members.setdefault(group_id, []).append((slot, labels))
    groups = [
        Group(
            group_id, np.array([slot for slot, _ in series], dtype=np.intp), LabelSets(labels for _, labels in series)
        )
        for group_id, series in members.items()
    ]
    return Selection(newest, kept.purge, members, groups, kept.size + len(fresh))


def _keep(name: tuple[int, TenantId, tuple[Matcher, ...]], selection: Selection) -> None:
    _kept[name] = selection
    _kept.move_to_end(name)
    total = sum(kept.size for kept in _kept.values())
    while len(_kept) > 1 and (len(_kept) > MOST_KEPT or total > MOST_SERIES_KEPT):
        _, dropped = _kept.popitem(last=False)
        total -= dropped.size


def _load(
    connection: Connection, tenant: TenantId, matchers: Sequence[Matcher], after: int
) -> list[tuple[int, int, Labels]]:
    """(group, slot, labels) of the matching series with an id above `after`."""
    conditions, parameters = where_of(matchers)
    statement = text(
        "select group_id, slot, key from series where tenant_id = :tenant and id > :after"  # noqa: S608  from where_of()
        + "".join(f" and {condition}" for condition in conditions)
        + " order by id"
    )
    rows = connection.execute(statement, {"tenant": tenant, "after": after, **parameters})
    left_over = [matcher for matcher in matchers if matcher.op in (MatchOp.REGEX, MatchOp.NOT_REGEX)]
    # Many series share a value of a label, and an expression is slow beside a look-up.
    verdicts: list[dict[str, bool]] = [{} for _ in left_over]
    found = []
    for group_id, slot, key in rows:
        labels = decode_labels(key)
        for matcher, known in zip(left_over, verdicts, strict=True):
            value = value_of(labels, matcher.name)
            verdict = known.get(value)
            if verdict is None:
                verdict = known[value] = matcher.matches(value)
            if not verdict:
                break
        else:
            found.append((group_id, slot, labels))
    return found


def where_of(matchers: Sequence[Matcher]) -> tuple[list[str], dict[str, Any]]:
    """What of the matchers SQL can say: conditions on `labels` and their parameters.

    Regular expressions are left out (Postgres's are not RE2), save that one which does not match the empty string
    needs the label to be there.
    """
    conditions: list[str] = []
    parameters: dict[str, Any] = {}
    contained = {}
    for number, matcher in enumerate(matchers):
        name, value = f"name_{number}", f"value_{number}"
        if matcher.op is MatchOp.EQUAL and matcher.value and matcher.name not in contained:
            contained[matcher.name] = matcher.value
        elif matcher.op in (MatchOp.EQUAL, MatchOp.NOT_EQUAL):
            sign = "=" if matcher.op is MatchOp.EQUAL else "<>"
            conditions.append(f"coalesce(labels ->> :{name}, '') {sign} :{value}")
            parameters |= {name: matcher.name, value: matcher.value}
        elif not matcher.matches(""):
            conditions.append(f"labels ->> :{name} is not null")
            parameters[name] = matcher.name
    if contained:
        # Uses series_labels_idx.
        conditions.append("labels @> cast(:contained as jsonb)")
        parameters["contained"] = msgspec.json.encode(contained).decode()
    return conditions, parameters
