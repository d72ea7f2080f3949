"""The state of Explore in its address.

`metric`, `f` (`site=LON1`, `role!=core`, `device=~fra.*`, repeated), `fn`, `agg`, `by` (labels with commas), `top`,
`cmp` (1d, 7d), `y` (zero, auto, log); or `q`, a PromQL expression in place of all before `top`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from app.domain.labels import Matcher, MatchOp
from app.errors import InvalidInput
from app.queries.explore import AGGREGATIONS, FUNCTIONS, Question
from app.ui.urlstate import Query

DEFAULT_METRIC: Final = "ifHCOutOctets"
COMPARE: Final = {"1d": "a day earlier", "7d": "a week earlier"}
SCALES: Final = ("zero", "auto", "log")
MOST: Final = 200
_FILTER = re.compile(r"([a-zA-Z_][\w.]*)(=~|!~|!=|=)(.*)", re.DOTALL)


@dataclass(frozen=True)
class ExploreState:
    """What is asked and how it is drawn; `problems` names what in the address could not be used."""

    question: Question
    top: int
    compare: str
    scale: str
    problems: tuple[str, ...] = ()

    @classmethod
    def parse(cls, query: Query) -> ExploreState:
        """The state of an address; bad values fall back and are named."""
        problems: list[str] = []
        matchers = []
        for text in query.all("f"):
            try:
                matchers.append(matcher_of(text))
            except InvalidInput as error:
                problems.append(f"filter {text!r}: {error.reason}")
        expr = query.get("q").strip()
        metric = query.get("metric") or ("" if expr else DEFAULT_METRIC)
        function = _one_of(query.get("fn"), FUNCTIONS, "rate" if _is_counter(metric) else "value", "fn", problems)
        question = Question(
            metric=metric,
            matchers=tuple(matchers),
            function=function,
            aggregation=_one_of(query.get("agg"), AGGREGATIONS, "sum", "agg", problems),
            by=tuple(name for name in query.get("by").split(",") if re.fullmatch(r"[a-zA-Z_]\w*", name)),
            expr=expr,
        )
        return cls(
            question=question,
            top=_top(query.get("top"), problems),
            compare=_one_of(query.get("cmp"), ("", *COMPARE), "", "cmp", problems),
            scale=_one_of(query.get("y"), SCALES, "zero", "y", problems),
            problems=tuple(problems),
        )


def matcher_of(text: str) -> Matcher:
    """`site=LON1`, `role!=core`, `device=~fra.*`, with or without quotes; raises InvalidInput."""
    match = _FILTER.fullmatch(text.strip())
    if not match:
        raise InvalidInput("f", "write label=value, label!=value or label=~pattern")
    return Matcher(match[1], MatchOp(match[2]), match[3].strip().strip('"'))


def _one_of(value: str, allowed: object, default: str, key: str, problems: list[str]) -> str:
    if not value:
        return default
    if value in allowed:  # type: ignore[operator]  # a tuple or a mapping
        return value
    problems.append(f"{key}: {value!r} is not one of the choices")
    return default


def _top(text: str, problems: list[str]) -> int:
    if not text:
        return 50
    if not text.isdigit() or not 1 <= int(text) <= MOST:
        problems.append(f"top: {text!r} is not a number from 1 to {MOST}")
        return 50
    return int(text)


def _is_counter(metric: str) -> bool:
    return (metric.startswith("if") and metric.endswith(("Octets", "Pkts", "Errors", "Discards"))) or metric.endswith(
        "_total"
    )
