"""The labels of several series: what is kept with them is what would be worked out anew."""

from __future__ import annotations

from app.promql.label_sets import LabelSets
from app.promql.vectors import without_names

UP_A = (("__name__", "up"), ("device", "a"))
UP_B = (("__name__", "up"), ("device", "b"))
DOWN_A = (("__name__", "down"), ("device", "a"))
NAMELESS = (("device", "a"),)
TYPED = (("__name__", "up"), ("__type__", "gauge"), ("device", "a"))


def test_pieces_say_what_the_whole_does() -> None:
    for sets in (
        [[UP_A], [UP_B]],
        [[UP_A, UP_B]],
        [[UP_A], [DOWN_A]],
        [[UP_A], [NAMELESS]],
        [[TYPED], [UP_B]],
        [[UP_A], [], [UP_B]],
    ):
        whole = LabelSets([one for piece in sets for one in piece])
        joined = LabelSets.joined([LabelSets.of(piece) for piece in sets if piece])
        assert joined == whole
        assert joined.names == whole.names
        assert joined.metric == whole.metric
        assert joined.unnamed == whole.unnamed == tuple(without_names(whole))


def test_one_metric_is_where_nothing_but_its_name_goes() -> None:
    assert LabelSets([UP_A, UP_B]).metric == "up"
    assert LabelSets([UP_A, DOWN_A]).metric is None
    assert LabelSets([UP_A, NAMELESS]).metric is None
    assert LabelSets([TYPED]).metric is None
    assert LabelSets([NAMELESS]).metric is None
    assert LabelSets([]).metric is None


def test_it_is_worked_out_once() -> None:
    sets = LabelSets([UP_A])
    assert sets.unnamed is sets.unnamed
    assert LabelSets.of(sets) is sets
    assert LabelSets.joined([sets]) is sets
