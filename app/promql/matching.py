"""Binary operations between two vectors: which series meet which, and what the result is called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from app.domain.labels import METRIC, Labels, labels_of, value_of
from app.domain.samples import ABSENT, Float64s, absent_array
from app.errors import QueryError
from app.promql.format import format_labels
from app.promql.groups import dropping, keeping
from app.promql.nodes import Binary, Matching
from app.promql.operators import ARITHMETIC, SET_OPERATORS, combine_cells
from app.promql.sums import Rows
from app.promql.vectors import Bools, Vectors, drop_empty, merge_same, no_vectors, without_name

Signature = Callable[[Labels], Labels]


def combine_vectors(node: Binary, left: Vectors, right: Vectors, *, room: Callable[[int], None]) -> Vectors:
    """The operation `node` between two vectors. Raises QueryError when the matching is ambiguous.

    `room` is asked whether a result of so many cells may be made.
    """
    if node.op in SET_OPERATORS:
        return _combine_sets(node, left, right)
    steps = left.values.shape[1]
    if not len(left) or not len(right):
        return no_vectors(steps)
    swapped = node.matching.many == "right"
    many, one = (right, left) if swapped else (left, right)
    one = _one_each(node.matching, many, one)
    pairs = _pairs(node.matching, many, one)
    if not len(pairs.many):
        return no_vectors(steps)
    room(len(pairs.many) * steps)
    many_values, one_values = pairs.cells(many, one)
    sides = (one_values, many_values) if swapped else (many_values, one_values)
    values, kept = combine_cells(node.op, *sides)
    present = many.present[pairs.many] & one.present[pairs.one]
    labels = _result_labels(node, many, one, pairs)
    _refuse_ambiguous(node.matching, labels, pairs, present)
    if kept is not None:
        if node.is_bool:
            values = kept.astype(np.float64)
        else:
            present = present & kept
    if not present.all():
        values = np.where(present, values, ABSENT)
    return drop_empty(merge_same(Vectors(labels, values)))


@dataclass(frozen=True)
class _Pairs:
    """Rows that meet: `many[i]` with `one[i]`, through the signature `signature[i]`."""

    many: Rows
    one: Rows
    signature: Rows

    def cells(self, many: Vectors, one: Vectors) -> tuple[Float64s, Float64s]:
        """Both sides' values, row by row; no copy of a side that is already in order."""
        return _rows(many.values, self.many), _rows(one.values, self.one)


def _rows(values: Float64s, rows: Rows) -> Float64s:
    in_order = len(rows) == len(values) and bool((rows == np.arange(len(rows))).all())
    return values if in_order else values[rows]


def signature_of(matching: Matching) -> Signature:
    """The labels of a series by which it finds its partner."""
    return keeping(matching.labels) if matching.on else dropping(matching.labels)


def _one_each(matching: Matching, many: Vectors, one: Vectors) -> Vectors:
    """The "one" side with a single series per signature and set of included labels.

    A thousand short-lived series of one signature, one at a time, are one partner and not a thousand.
    """
    signature = signature_of(matching)
    rows_of: dict[Labels, list[int]] = {}
    for row, labels in enumerate(one.labels):
        rows_of.setdefault(signature(labels), []).append(row)
    if len(rows_of) == len(one):
        return one
    _refuse_duplicates(matching, many, one, rows_of)
    partners: dict[object, list[int]] = {}
    for key, rows in rows_of.items():
        for row in rows:
            included = tuple(value_of(one.labels[row], name) for name in matching.include)
            partners.setdefault((key, included), []).append(row)
    values = absent_array((len(partners), one.values.shape[1]))
    for number, rows in enumerate(partners.values()):
        for row in rows:
            values[number] = np.where(one.present[row], one.values[row], values[number])
    return Vectors([one.labels[rows[0]] for rows in partners.values()], values)


def _pairs(matching: Matching, many: Vectors, one: Vectors) -> _Pairs:
    signature = signature_of(matching)
    rows_of: dict[Labels, list[int]] = {}
    for row, labels in enumerate(one.labels):
        rows_of.setdefault(signature(labels), []).append(row)
    numbers = {key: number for number, key in enumerate(rows_of)}
    found: list[tuple[int, int, int]] = []
    for row, labels in enumerate(many.labels):
        key = signature(labels)
        if key in numbers:
            found += [(row, other, numbers[key]) for other in rows_of[key]]
    columns = np.array(found, dtype=np.intp).reshape(-1, 3).T
    return _Pairs(columns[0], columns[1], columns[2])


def _refuse_duplicates(matching: Matching, many: Vectors, one: Vectors, rows_of: dict[Labels, list[int]]) -> None:
    """Two series of the "one" side with the same signature may not stand at the same step."""
    asked = many.present.any(axis=0)
    for key, rows in rows_of.items():
        if len(rows) < 2:
            continue
        together = (one.present[rows].sum(axis=0) > 1) & asked
        if together.any():
            at = one.present[rows][:, int(np.argmax(together))]
            first_two = sorted(one.labels[row] for row, here in zip(rows, at, strict=True) if here)[:2]
            # The one that came second, and what it collides with.
            shown = [format_labels(labels) for labels in reversed(first_two)]
            side = "left" if matching.many == "right" else "right"
            raise QueryError(
                f"found duplicate series for the match group {format_labels(key)} on the {side} hand-side of the "
                f"operation: [{', '.join(shown)}];many-to-many matching not allowed: matching labels must "
                "be unique on one side",
                kind="execution",
            )


def _refuse_ambiguous(matching: Matching, labels: list[Labels], pairs: _Pairs, present: Bools) -> None:
    """In one-to-one matching a signature gives one result, in many-to-one each of its results another label set."""
    if matching.many is None:
        keys: list[object] = pairs.signature.tolist()
        why = "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
    else:
        keys = list(zip(labels, pairs.signature.tolist(), strict=True))
        why = "multiple matches for labels: grouping labels must ensure unique matches"
    if len(set(keys)) == len(keys):
        return
    seen: dict[object, Bools] = {}
    for key, here in zip(keys, present, strict=True):
        if key in seen:
            if (seen[key] & here).any():
                raise QueryError(why, kind="execution")
            seen[key] = seen[key] | here
        else:
            seen[key] = here


def _result_labels(node: Binary, many: Vectors, one: Vectors, pairs: _Pairs) -> list[Labels]:
    matching = node.matching
    shape: Signature
    drops_name = node.op in ARITHMETIC or node.is_bool
    if matching.many is not None:
        shape = without_name if drops_name else _same
    elif matching.on:
        shape = keeping([name for name in matching.labels if not (drops_name and name == METRIC)])
    elif drops_name:
        shape = dropping(matching.labels) if matching.labels else without_name
    else:
        gone = frozenset(matching.labels)
        shape = (lambda labels: tuple(pair for pair in labels if pair[0] not in gone)) if gone else _same
    shaped = [shape(labels) for labels in many.labels]
    if not matching.include:
        return [shaped[row] for row in pairs.many.tolist()]
    return [
        labels_of({**dict(shaped[row]), **{name: value_of(one.labels[other], name) for name in matching.include}})
        for row, other in zip(pairs.many.tolist(), pairs.one.tolist(), strict=True)
    ]


def _same(labels: Labels) -> Labels:
    return labels


def _combine_sets(node: Binary, left: Vectors, right: Vectors) -> Vectors:
    signature = signature_of(node.matching)
    if node.op == "or":
        kept = _only_where(right, _partner_present(left, right, signature), wanted=False)
        both = Vectors([*left.labels, *kept.labels], np.concatenate([left.values, kept.values]))
        return merge_same(both)
    partner = _partner_present(right, left, signature)
    return _only_where(left, partner, wanted=node.op == "and")


def _partner_present(others: Vectors, vectors: Vectors, signature: Signature) -> Bools:
    """For each series of `vectors`, where any of `others` with its signature has a point; (n, steps)."""
    number_of: dict[Labels, int] = {}
    rows = [number_of.setdefault(signature(labels), len(number_of)) for labels in others.labels]
    present = np.zeros((len(number_of) + 1, vectors.values.shape[1]), dtype=np.bool_)
    np.logical_or.at(present, np.array(rows, dtype=np.intp), others.present)
    # The last row is for those without a partner and stays empty.
    wanted = [number_of.get(signature(labels), len(number_of)) for labels in vectors.labels]
    return present[np.array(wanted, dtype=np.intp)]


def _only_where(vectors: Vectors, mask: Bools, *, wanted: bool) -> Vectors:
    if not len(vectors):
        return Vectors([], absent_array(vectors.values.shape))
    return drop_empty(Vectors(vectors.labels, np.where(mask if wanted else ~mask, vectors.values, ABSENT)))
