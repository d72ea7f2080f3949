"""Texts with `{{ $labels.x }}` and `{{ $value | humanize }}`, as Prometheus's rules write them.

A small reader of Go's template form: a pipeline of literals, $labels, $value and the functions named below.
There is no attribute access, no control structure and no code; what it does not know is an error in the text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from app.errors import InvalidInput

Value = str | float

MAX_TEXT: Final = 4096
ACTION: Final = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<label>(?:\$labels|\.Labels)\.(?P<name>[A-Za-z_][A-Za-z0-9_]*))
      | (?P<value>\$value|\.Value)(?![A-Za-z0-9_.])
      | (?P<text>"(?:[^"\\]|\\.)*"|`[^`]*`)
      | (?P<number>[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)
      | (?P<labels>\$labels|\.Labels)(?![A-Za-z0-9_.])
      | (?P<function>[A-Za-z][A-Za-z0-9]*)
      | (?P<pipe>\|)
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str


def expand(text: str, labels: Mapping[str, str], value: float) -> str:
    """`text` with its actions filled in; a faulty one becomes `<error expanding template: …>` as Prometheus has it."""
    if "{{" not in text:
        return text[:MAX_TEXT]
    try:
        return _expand(text, labels, value)
    except (InvalidInput, ValueError, OverflowError) as error:
        return f"<error expanding template: {error}>"


def check(field: str, text: str) -> None:
    """Raises InvalidInput when `text` holds an action that cannot be read or a function that is not known."""
    if text.count("{{") != len(ACTION.findall(text)):
        raise InvalidInput(field, "a {{ is not closed by }}")
    for match in ACTION.finditer(text):
        try:
            _evaluate(match.group(1), {}, 1.0)
        except InvalidInput as error:
            raise InvalidInput(field, error.reason) from None
        except (ValueError, OverflowError):
            # An empty sample label cannot be read as a number; with a real label it may be.
            continue


def humanize(value: float) -> str:
    """A number with an SI prefix: 1.234e6 is `1.234M`. Source: Prometheus template/template.go."""
    if value == 0 or not math.isfinite(value):
        return format(value, ".4g")
    prefixes = "kMGTPEZY" if abs(value) >= 1 else "munpfazy"
    return _scaled(value, prefixes, 1000.0)


def humanize1024(value: float) -> str:
    """A number with a binary prefix: 2048 is `2ki`."""
    if abs(value) <= 1 or not math.isfinite(value):
        return format(value, ".4g")
    return _scaled(value, [prefix + "i" for prefix in "kMGTPEZY"], 1024.0)


def humanize_percentage(value: float) -> str:
    """A ratio in per cent: 0.1234 is `12.34%`."""
    return f"{value * 100:.4g}%"


def humanize_duration(seconds: float) -> str:
    """Seconds in days, hours, minutes: 90061 is `1d 1h 1m 1s`."""
    if not math.isfinite(seconds):
        return format(seconds, ".4g")
    if seconds == 0:
        return "0s"
    if abs(seconds) < 1:
        return f"{_scaled(seconds, 'munpfazy', 1000.0)}s"
    sign, rest = ("-" if seconds < 0 else ""), abs(seconds)
    whole = int(rest)
    if whole < 60:
        return f"{sign}{rest:.4g}s"
    parts = [(whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "m"), (whole % 60, "s")]
    first = next(index for index, (amount, _) in enumerate(parts) if amount)
    return sign + " ".join(f"{amount}{unit}" for amount, unit in parts[first:])


def _expand(text: str, labels: Mapping[str, str], value: float) -> str:
    parts, position = [], 0
    for match in ACTION.finditer(text):
        parts += [text[position : match.start()], _show(_evaluate(match.group(1), labels, value))]
        position = match.end()
    return "".join([*parts, text[position:]])[:MAX_TEXT]


def _evaluate(action: str, labels: Mapping[str, str], value: float) -> Value:
    """The value of one pipeline: each stage's result is the last argument of the next."""
    stages: list[list[_Token]] = [[]]
    for token in _tokens(action):
        if token.kind == "pipe":
            stages.append([])
        else:
            stages[-1].append(token)
    result: Value | None = None
    for stage in stages:
        result = _call(stage, labels, value, piped=result)
    assert result is not None
    return result


def _tokens(action: str) -> list[_Token]:
    tokens, position = [], 0
    while position < len(action):
        match = TOKEN.match(action, position)
        if match is None:
            raise InvalidInput("", f"cannot read {action[position:].strip()[:40]!r} in a template")
        kind = match.lastgroup if match.lastgroup != "name" else "label"
        assert kind is not None
        tokens.append(_Token(kind, match.group("name") if kind == "label" else match.group(kind)))
        position = match.end()
        if action[position:].isspace():
            break
    return tokens


def _call(stage: list[_Token], labels: Mapping[str, str], value: float, *, piped: Value | None) -> Value:
    if not stage:
        raise InvalidInput("", "an empty action in a template")
    head, *rest = stage
    if head.kind != "function":
        if rest or piped is not None:
            raise InvalidInput("", f"{head.text} is not a function in a template")
        return _operand(head, labels, value)
    function = FUNCTIONS.get(head.text)
    if function is None:
        raise InvalidInput("", f"the template function {head.text} is not known")
    arguments = [_operand(token, labels, value) for token in rest]
    try:
        return function(*arguments, *(() if piped is None else (piped,)))
    except TypeError:
        raise InvalidInput("", f"the template function {head.text} has the wrong number of arguments") from None


def _operand(token: _Token, labels: Mapping[str, str], value: float) -> Value:
    match token.kind:
        case "label":
            return labels.get(token.text, "")
        case "labels":
            return "map[" + " ".join(f"{name}:{text}" for name, text in sorted(labels.items())) + "]"
        case "value":
            return value
        case "number":
            return float(token.text)
        case "text":
            inner = token.text[1:-1]
            return inner if token.text[0] == "`" else re.sub(r"\\(.)", r"\1", inner)
    raise InvalidInput("", f"{token.text} cannot stand there in a template")


def _show(value: Value) -> str:
    if isinstance(value, str):
        return value
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else format(value, "g")


def _scaled(value: float, prefixes: str | list[str], base: float) -> str:
    prefix = ""
    is_large = abs(value) >= 1
    for candidate in prefixes:
        if (abs(value) < base) if is_large else (abs(value) >= 1):
            break
        prefix = candidate
        value = value / base if is_large else value * base
    return f"{value:.4g}{prefix}"


def _number(value: Value) -> float:
    try:
        return float(value)
    except ValueError:
        raise ValueError(f"{str(value)[:40]!r} is not a number") from None


def _printf(pattern: Value, *arguments: Value) -> str:
    """Go's printf for %s %v %d %f %g %e %q %%; width and precision have two digits at most, so no text swells."""
    rest = list(arguments)

    def replace(match: re.Match[str]) -> str:
        flags, verb = match.group(1), match.group(2)
        if verb == "%":
            return "%"
        if not rest:
            raise ValueError("printf has too few arguments")
        argument = rest.pop(0)
        if verb in "sv":
            return f"%{flags}s" % _show(argument)
        if verb == "q":
            return '"' + _show(argument).replace('"', '\\"') + '"'
        return f"%{flags}{verb}" % (int(_number(argument)) if verb == "d" else _number(argument))

    return re.sub(r"%([-+ 0#]?\d{0,2}(?:\.\d{1,2})?)([svqdfge%])", replace, str(pattern))


FUNCTIONS: Final[Mapping[str, Callable[..., Value]]] = {
    "humanize": lambda value: humanize(_number(value)),
    "humanize1024": lambda value: humanize1024(_number(value)),
    "humanizePercentage": lambda value: humanize_percentage(_number(value)),
    "humanizeDuration": lambda value: humanize_duration(_number(value)),
    "printf": _printf,
    "print": lambda *values: "".join(_show(value) for value in values),
    "toUpper": lambda text: str(text).upper(),
    "toLower": lambda text: str(text).lower(),
    "title": lambda text: str(text).title(),
    "stripPort": lambda text: re.sub(r":\d+$", "", str(text)),
    "stripDomain": lambda text: str(text).split(".", 1)[0],
    "value": lambda value: value,
}
