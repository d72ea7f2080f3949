"""The parser's complaints in Prometheus's words, which people know and programs look for.

Only the words: the parser does not say at which character, so Prometheus's `1:5:` in front is missing.
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
