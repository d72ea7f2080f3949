"""The parser's complaints in Prometheus's words, which people know and programs look for.

The parser does not say at which character. Where it names what it stumbled over, and that stands in the query once,
Prometheus's `1:5:` is put in front; else it is missing: a wrong place is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

Words = str | Callable[[re.Match[str]], str]

_TYPES: Final = {"vector": "instant vector", "matrix": "range vector", "scalar": "scalar", "string": "string"}


def _typed(template: str) -> Callable[[re.Match[str]], str]:
    """A template whose named groups `want` and `got` are types."""

    def words(found: re.Match[str]) -> str:
        groups = {name: text if name == "name" else _TYPES[text] for name, text in found.groupdict().items()}
        return template.format(**groups)

    return words


def _escape(found: re.Match[str]) -> str:
    return f"unknown escape sequence U+{ord(found[1]):04X} '{found[1]}'"


def _regex(found: re.Match[str]) -> str:
    return f"error parsing regexp: invalid expression: `^(?:{found[1]})$`"


_RULES: Final[tuple[tuple[re.Pattern[str], Words], ...]] = tuple(
    (re.compile(pattern, re.DOTALL), words)
    for pattern, words in (
        (r"unknown function with name '(.*)'", r'unknown function with name "\1"'),
        (
            r"expected type (?P<want>\w+) in call to function '(?P<name>\w+)', got (?P<got>\w+)",
            _typed('expected type {want} in call to function "{name}", got {got}'),
        ),
        (
            r"expected type (?P<want>scalar|string) in aggregation expression, got (?P<got>\w+)",
            _typed("expected type {want} in aggregation parameter, got {got}"),
        ),
        (
            r"expected type (?P<want>\w+) in aggregation expression, got (?P<got>\w+)",
            _typed("expected type {want} in aggregation expression, got {got}"),
        ),
        (r"(expected .*argument\(s\) in call to) '(\w+)', got (\d+)", r'\1 "\2", got \3'),
        (
            r"set operator '(\w+)' not allowed in binary scalar expression",
            r'set operator "\1" not allowed in binary scalar expression',
        ),
        (r"no grouping allowed for '(\w+)' operation", r'no grouping allowed for "\1" operation'),
        (
            r"subquery is only allowed on vector, got (\w+) instead",
            r"subquery is only allowed on instant vector, got \1 instead",
        ),
        (
            r"unary expression only allowed on expressions of type scalar or vector, got: (?P<got>\w+)",
            _typed('unary expression only allowed on expressions of type scalar or instant vector, got "{got}"'),
        ),
        (r"metric name must not be set twice: '(.*)' or '(.*)'", r'metric name must not be set twice: "\1" or "\2"'),
        (
            r"unexpected identifier '(.*)' in label matching, expected string",
            r'unexpected identifier "\1" in label matching, expected string',
        ),
        (
            r"unexpected '(.*)' in label matching, expected identifier or right_brace",
            r'unexpected "\1" in label matching, expected identifier or "}"',
        ),
        (
            r"invalid label matcher, expected label matching operator after '.*'",
            'unexpected "}" in label matching, expected label matching operator',
        ),
        (r"unterminated quoted string `", "unterminated raw string"),
        (r"unterminated quoted string [\"']", "unterminated quoted string"),
        (r"unknown escape sequence '(.)'", _escape),
        (r"illegal regex for (.*)", _regex),
        (
            r"ParseFloatError\. (.*) can't be parsed into \w+",
            r'error parsing number: strconv.ParseFloat: parsing "\1": invalid syntax',
        ),
        (r"bad number or duration syntax: (.*)", r'bad number or duration syntax: "\1"'),
        (r"not a valid duration string: (.*)", r'unexpected duration "\1"'),
        (r"unexpected right brace '}'", "unexpected character: '}'"),
        (r"unexpected end of input inside brackets", "unclosed left bracket"),
        (r"no arguments for aggregate expression '\w+' provided", "no arguments for aggregate expression provided"),
        (r"timestamp out of bounds for @ modifier: inf", "timestamp out of bounds for @ modifier: +Inf"),
        (r"timestamp out of bounds for @ modifier: -inf", "timestamp out of bounds for @ modifier: -Inf"),
    )
)


def in_prometheus_words(message: str) -> str:
    """What Prometheus would say; a message that is not known stays as it is."""
    for pattern, words in _RULES:
        found = pattern.fullmatch(message)
        if found:
            return found.expand(words) if isinstance(words, str) else words(found)
    return message


# What a message names -> how that stands in the query; the first group is where Prometheus points.
_NAMED: Final = (
    (re.compile(r"unknown function with name '(.*)'", re.DOTALL), r"(?<![\w:])({})\s*\("),
    (re.compile(r"expected .*argument\(s\) in call to '(\w+)', got \d+"), r"(?<![\w:])({})\s*\("),
    (re.compile(r"unexpected identifier '(.*)' in label matching, expected string", re.DOTALL), r"[=~]\s*({})\s*[,}}]"),
)


def place_of(message: str, expr: str, silent: re.Pattern[str]) -> int | None:
    """At which character of the query the parser stumbled; None if that is not certain.

    `silent` matches what is not read for names: strings and comments.
    """
    bare = silent.sub(lambda found: " " * len(found[0]), expr)
    for pattern, form in _NAMED:
        named = pattern.fullmatch(message)
        if named:
            places = [found.start(1) for found in re.finditer(form.format(re.escape(named[1])), bare)]
            return places[0] if len(places) == 1 else None
    return None


def in_front(place: int | None, expr: str) -> str:
    """A place as Prometheus writes it, line and column (in bytes) from 1: `1:5: `; "" for none."""
    if place is None:
        return ""
    *lines, last = expr[:place].split("\n")
    return f"{len(lines) + 1}:{len(last.encode()) + 1}: "
