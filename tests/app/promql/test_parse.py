"""From text to tree: what is kept, what is refused, and that no text can hurt the parser."""

from __future__ import annotations

import pytest

from app.domain.labels import Matcher, MatchOp
from app.errors import QueryError
from app.promql.nodes import (
    Aggregate,
    At,
    Binary,
    Kind,
    Matching,
    Negate,
    Number,
    RangeSelector,
    Selector,
    Subquery,
    kind_of,
)
from app.promql.parse import MOST_CHARACTERS, MOST_DEPTH, format_query, parse, parse_selector

UP = (Matcher("__name__", MatchOp.EQUAL, "up"),)


@pytest.mark.parametrize(
    ("expr", "tree"),
    [
        ("up", Selector(UP)),
        ("(up)", Selector(UP)),
        ("up offset 5m", Selector(UP, offset_ms=300_000)),
        ("up offset -1500ms", Selector(UP, offset_ms=-1500)),
        ("up offset 60", Selector(UP, offset_ms=60_000)),
        ("up @ 12.345", Selector(UP, at=12_345)),
        ("up @ -1.5", Selector(UP, at=-1500)),
        ("up @ 0", Selector(UP, at=0)),
        ("up @ start() offset 1m", Selector(UP, offset_ms=60_000, at=At.START)),
        ("up[5m] @ end()", RangeSelector(Selector(UP, at=At.END), 300_000)),
        ("up[300]", RangeSelector(Selector(UP), 300_000)),
        ("up[1h:1m] @ 7 offset 2s", Subquery(Selector(UP), 3_600_000, 60_000, 2000, 7000)),
        ("up[1h:]", Subquery(Selector(UP), 3_600_000, None)),
        ("(up @ end())[1h:]", Subquery(Selector(UP, at=At.END), 3_600_000, None)),
        ("1h30m", Number(5400.0)),
        ("-up", Negate(Selector(UP))),
        ("sum without (b, a, b) (up)", Aggregate("sum", Selector(UP), None, ("a", "b"), True)),
        (
            "up > bool on (a) group_left (b) up",
            Binary(">", Selector(UP), Selector(UP), Matching(True, ("a",), "left", ("b",)), True),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_trees(expr: str, tree: object) -> None:
    assert parse(expr) == tree


def test_text_that_looks_like_a_modifier_is_text() -> None:
    selector = parse('up{a=" @ 5 } @ start() offset 5m tv_sec: 9, tv_nsec: 1"} @ -2')
    assert isinstance(selector, Selector)
    assert (selector.at, selector.offset_ms) == (-2000, 0)


@pytest.mark.parametrize(
    ("expr", "why"),
    [
        ("", "no expression found in input"),
        ("  # nothing\n", "parse error"),
        ("sum(", "parse error"),
        ('up{a="1" or a="2"}', '"or" between label matchers is not supported'),
        ("up + on() fill(0) up", "fill modifiers are not supported"),
        ('up{a=~"(?!x)"}', "parse error"),
        ("(" * (MOST_DEPTH + 1) + "1" + ")" * (MOST_DEPTH + 1), "more than 200 operators and brackets"),
        ("up @ 1e17", "timestamp out of bounds for @ modifier"),
        ("up[1000000000y]", "duration out of range"),
        ("+".join(["1"] * 5000), "more than 200 operators and brackets"),
        (" and ".join(["up"] * 300), "more than 200 operators and brackets"),
        ("up{" + 'a="x",' * 20_000 + "}", "longer than"),
    ],
    ids=[
        "empty",
        "comment",
        "open",
        "or",
        "fill",
        "look-ahead",
        "deep",
        "far",
        "lasting",
        "long chain",
        "many ands",
        "long",
    ],
)
def test_refusals(expr: str, why: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(expr)
    assert caught.value.kind == "bad_data"
    assert why in str(caught.value)


def test_operators_inside_text_do_not_count() -> None:
    assert parse('up{a="' + "(+" * 500 + '"}')
    assert len("up") < MOST_CHARACTERS


@pytest.mark.parametrize("operator", ["+", "^", " and ", " atan2 ", " == bool "])
def test_the_deepest_query_that_is_taken_can_be_walked(operator: str) -> None:
    node = parse(operator.join(["up"] * (MOST_DEPTH if operator != " == bool " else MOST_DEPTH // 2)))
    assert kind_of(node) is Kind.VECTOR


def test_a_selector_and_nothing_else() -> None:
    assert parse_selector('{__name__="up"}') == UP
    with pytest.raises(QueryError, match="expected an instant vector selector"):
        parse_selector("up[5m]")


def test_layout() -> None:
    assert format_query("sum( up )by(a)") == "sum by (a) (up)"


@pytest.mark.parametrize(
    ("expr", "place"),
    [
        pytest.param("sum(fooo(x))", "1:5: ", id="a function that there is not"),
        pytest.param('up{a="\u00fc fooo("}\n  + fooo (x)', "2:5: ", id="on the second line, and in a string before"),
        pytest.param('"\u00fc" + fooo(x)', "1:8: ", id="columns are bytes"),
        pytest.param("x + abs(1, 2)", "1:5: ", id="too many arguments"),
        pytest.param("up{a=b}", "1:6: ", id="a value without quotes"),
        pytest.param("fooo(fooo(x))", "", id="one of two: nobody knows which"),
        pytest.param("1 +", "", id="no name in what the parser says"),
    ],
)
def test_where_the_mistake_is_said_when_it_is_certain(expr: str, place: str) -> None:
    with pytest.raises(QueryError) as raised:
        parse(expr)
    assert str(raised.value).partition("parse error")[0] == place
    assert (raised.value.position is None) == (not place)
