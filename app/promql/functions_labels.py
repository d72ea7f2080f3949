"""Functions that change or read labels, and leave values alone."""

from __future__ import annotations

import re

import re2

from app.domain.labels import METRIC, Labels, labels_of, value_of
from app.errors import QueryError
from app.promql.arguments import Arguments
from app.promql.vectors import Vectors, drop_empty

# A bad expression is answered, and not worth a line on standard error too.
_QUIET = re2.Options()
_QUIET.log_errors = False

# `$1`, `${name}`, `$$`, as Go's Regexp.Expand reads them.
_REFERENCE = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})")


def label_replace(arguments: Arguments) -> Vectors:
    """label_replace(v, dst, replacement, src, regex): where `src` matches whole, `dst` becomes the replacement."""
    vectors = drop_empty(arguments.vectors(0))
    target, replacement, source, pattern = (arguments.text(index) for index in range(1, 5))
    try:
        regex = re2.compile(f"(?s:{pattern})", _QUIET)
    except re2.error as error:
        raise QueryError(f"invalid regular expression in label_replace(): {pattern}", kind="execution") from error
    _check_name(target, "destination", "label_replace")

    def changed(labels: Labels) -> Labels:
        match = regex.fullmatch(value_of(labels, source))
        return labels if match is None else _with(labels, target, _expand(match, replacement))

    return vectors.relabelled(changed(labels) for labels in vectors.labels)


def label_join(arguments: Arguments) -> Vectors:
    """label_join(v, dst, separator, src…): `dst` becomes the values of the other labels, joined."""
    vectors = drop_empty(arguments.vectors(0))
    target, separator = arguments.text(1), arguments.text(2)
    sources = [arguments.text(index) for index in range(3, len(arguments))]
    for source in sources:
        _check_name(source, "source", "label_join")
    _check_name(target, "destination", "label_join")
    return vectors.relabelled(
        _with(labels, target, separator.join(value_of(labels, source) for source in sources))
        for labels in vectors.labels
    )


def natural_key(text: str) -> list[tuple[int, int, str]]:
    """A key that sorts digits inside a text by their number: eth2 before eth10."""
    return [(1, int(part), "") if part.isdecimal() else (2, 0, part) for part in re.split(r"(\d+)", text) if part]


def absent_labels(labels: Labels) -> Labels:
    """What absent() answers with: the labels without the metric's name."""
    return tuple(pair for pair in labels if pair[0] != METRIC)


def _with(labels: Labels, name: str, value: str) -> Labels:
    return labels_of({**dict(labels), name: value})


def _expand(match: re2._Match, replacement: str) -> str:
    groups = match.groupdict(default="")

    def value(reference: re.Match[str]) -> str:
        name = reference[1] or reference[2]
        if name is None:
            return "$"
        if not name.isdecimal():
            return str(groups.get(name, ""))
        number = int(name)
        return str(match.group(number) or "") if number <= len(match.groups()) else ""

    return _REFERENCE.sub(value, replacement)


def _check_name(name: str, role: str, function: str) -> None:
    # Prometheus 3 takes any UTF-8 text as a label's name, but not none.
    if not name:
        raise QueryError(f"invalid {role} label name in {function}(): {name}", kind="execution")
