"""A language for tests of PromQL: samples, queries, and what they answer, as plain text.

    load 30s
      requests{site="a"} 0+10x20          # 0, 10, 20 … 200: a start, a step, how many more
      requests{site="b"} 5 _ 7 stale NaN  # `_` no sample, `_x3` three of them, `stale` a stale marker

    eval instant at 5m sum(requests)
      {} 107

    eval range from 0 to 2m step 1m requests{site="a"}
      requests{site="a"} 0 20 40

    eval instant at 5m sum(
      expect fail unclosed left parenthesis

A query whose answer is a scalar has one line with its value, a string has `expect string "…"`. `expect ordered` says
that the order of lines counts; `expect warn` and `expect info` want such an annotation with the given text; `clear`
forgets all samples.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from app.domain.labels import Labels, labels_of
from app.domain.samples import STALE, is_absent, is_stale
from app.errors import QueryError
from app.promql.engine import query_instant, query_range
from app.promql.result import Matrix, RawMatrix, Scalar, String, Vector
from tests.factories.series import MemorySource, block_of

_DURATION = re.compile(r"(-?)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?")
_PAIR = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[\w.:]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"|\'[^\']*\'|`[^`]*`))?\s*,?')
_SEQUENCE = re.compile(
    r"([+-]?(?:[\d.]+(?:[eE][+-]?\d+)?|Inf|NaN|stale|_))(?:([+-](?:[\d.]+(?:[eE][+-]?\d+)?|Inf|NaN)))?(?:x(\d+))?"
)
_INSTANT = re.compile(r"eval instant at (\S+) (.*)", re.DOTALL)
_RANGE = re.compile(r"eval range from (\S+) to (\S+) step (\S+) (.*)", re.DOTALL)
RELATIVE = 1e-6

Points = list[float | None]


@dataclass
class Query:
    """One `eval` with what it should answer."""

    line: int
    expr: str
    start_ms: int
    end_ms: int
    step_ms: int
    series: list[tuple[Labels, Points]] = field(default_factory=list)
    scalar: float | None = None
    text: str | None = None
    failure: str | None = None
    warning: str | None = None
    info: str | None = None
    is_ordered: bool = False

    @property
    def is_instant(self) -> bool:
        """Whether it asks for one moment."""
        return self.step_ms == 0


@dataclass
class Load:
    """Samples to add: by series, each (ms, value)."""

    series: dict[Labels, dict[int, float]] = field(default_factory=dict)


@dataclass
class Clear:
    """Forget all samples."""


def read_script(path: Path) -> list[Query | Load | Clear]:
    """The commands of a script. Raises ValueError with the line of a mistake."""
    commands: list[Query | Load | Clear] = []
    step_ms = 0
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if not line[0].isspace():
            if text == "clear":
                commands.append(Clear())
            elif text.startswith("load "):
                step_ms = duration_ms(text.split()[1])
                commands.append(Load())
            else:
                commands.append(_query(number, text))
            continue
        match commands[-1]:
            case Load(series=series):
                labels, points = _series_line(text)
                added = series.setdefault(labels, {})
                added |= {index * step_ms: value for index, value in enumerate(points) if value is not None}
            case Query() as query:
                _expectation(query, text)
            case _:
                raise ValueError(f"line {number}: nothing here takes {text!r}")
    return commands


def run_script(path: Path) -> Iterator[tuple[Query, str | None]]:
    """Run all queries of a script; for each, what is wrong with the answer, or None."""
    loaded: dict[Labels, dict[int, float]] = {}
    for command in read_script(path):
        match command:
            case Clear():
                loaded = {}
            case Load(series=series):
                for labels, samples in series.items():
                    loaded[labels] = loaded.get(labels, {}) | samples
            case Query():
                source = MemorySource([block_of({labels: samples}) for labels, samples in loaded.items() if samples])
                yield command, _check(command, source)


def duration_ms(text: str) -> int:
    """A duration such as 1h30m, or a plain number of seconds."""
    if re.fullmatch(r"-?[\d.]+", text):
        return round(float(text) * 1000)
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"no duration: {text}")
    sign, *parts = found.groups()
    units = (86_400_000, 3_600_000, 60_000, 1000, 1)
    size = sum(round(float(part) * unit) for part, unit in zip(parts, units, strict=True) if part)
    return -size if sign else size


def _query(number: int, text: str) -> Query:
    if found := _INSTANT.fullmatch(text):
        at_ms = duration_ms(found[1])
        return Query(number, found[2], at_ms, at_ms, 0)
    if found := _RANGE.fullmatch(text):
        start_ms, end_ms, step_ms = (duration_ms(found[index]) for index in (1, 2, 3))
        return Query(number, found[4], start_ms, end_ms, step_ms)
    raise ValueError(f"line {number}: no command: {text}")


def _expectation(query: Query, text: str) -> None:
    if text == "expect ordered":
        query.is_ordered = True
    elif text.startswith("expect fail"):
        query.failure = text.removeprefix("expect fail").strip()
    elif text.startswith("expect warn"):
        query.warning = text.removeprefix("expect warn").strip()
    elif text.startswith("expect info"):
        query.info = text.removeprefix("expect info").strip()
    elif text.startswith("expect string"):
        query.text = str(json.loads(text.removeprefix("expect string").strip()))
    elif re.fullmatch(r"[+-]?(?:[\d.]+(?:[eE][+-]?\d+)?|Inf|NaN)", text):
        query.scalar = float(text)
    else:
        query.series.append(_series_line(text))


def _series_line(text: str) -> tuple[Labels, Points]:
    metric, inside, rest = text, "", ""
    if "{" in text:
        at = text.index("{")
        end = _closing(text, at)
        metric, inside, rest = text[:at], text[at + 1 : end], text[end + 1 :]
    else:
        metric, _, rest = text.replace("\t", " ").partition(" ")
    pairs = {"__name__": metric.strip()}
    for name, value in _PAIR.findall(inside):
        plain = json.loads(name) if name.startswith('"') else name
        if value:
            pairs[plain] = json.loads(value) if value.startswith('"') else value[1:-1]
        else:
            pairs["__name__"] = plain
    return labels_of(pairs), [point for item in rest.split() for point in _points(item)]


def _closing(text: str, at: int) -> int:
    quoted = False
    for index in range(at, len(text)):
        if text[index] == '"' and text[index - 1] != "\\":
            quoted = not quoted
        elif text[index] == "}" and not quoted:
            return index
    raise ValueError(f"no closing brace: {text}")


def _points(item: str) -> Points:
    found = _SEQUENCE.fullmatch(item)
    if found is None:
        raise ValueError(f"no value: {item}")
    first, step, more = found.groups()
    if first == "_":
        return [None] * int(more or 1)
    start = STALE if first == "stale" else float(first)
    count = int(more or 0) + 1
    return [start if step is None else start + index * float(step) for index in range(count)]


def _check(query: Query, source: MemorySource) -> str | None:
    try:
        if query.is_instant:
            result = query_instant(source, query.expr, at_ms=query.start_ms)
        else:
            result = query_range(
                source, query.expr, start_ms=query.start_ms, end_ms=query.end_ms, step_ms=query.step_ms
            )
    except QueryError as error:
        if query.failure is not None and query.failure in str(error):
            return None
        return f"failed: {error}"
    if query.failure is not None:
        return f"should fail, answers {result}"
    if query.warning is not None and query.warning not in " ".join(getattr(result, "warnings", ())):
        return f"warns {getattr(result, 'warnings', ())}"
    if query.info is not None and query.info not in " ".join(result.account.infos):
        return f"informs {result.account.infos}"
    match result:
        case Scalar(value=value):
            return None if query.scalar is not None and alike(value, query.scalar) else f"answers {value}"
        case String(value=text):
            return None if text == query.text else f"answers {text!r}"
        case Vector():
            rows = [(labels, [value]) for labels, value in zip(result.labels, result.values.tolist(), strict=True)]
        case Matrix():
            rows = [(labels, _optional(row)) for labels, row in zip(result.labels, result.values, strict=True)]
        case RawMatrix():
            rows = [(labels, row.tolist()) for labels, row in zip(result.labels, result.values, strict=True)]
    return _difference(query, rows)


def _optional(row: np.ndarray) -> Points:
    return [None if gone else value for value, gone in zip(row.tolist(), is_absent(row).tolist(), strict=True)]


def _difference(query: Query, rows: list[tuple[Labels, Points]]) -> str | None:
    steps = 1 if query.is_instant else (query.end_ms - query.start_ms) // query.step_ms + 1
    wanted = [(labels, points + [None] * (steps - len(points))) for labels, points in query.series]
    if not query.is_ordered:
        rows, wanted = sorted(rows, key=lambda row: row[0]), sorted(wanted, key=lambda row: row[0])
    if [labels for labels, _ in rows] != [labels for labels, _ in wanted]:
        return f"series are {[labels for labels, _ in rows]}, should be {[labels for labels, _ in wanted]}"
    for (labels, got), (_, should) in zip(rows, wanted, strict=True):
        if len(got) != len(should) or not all(alike(a, b) for a, b in zip(got, should, strict=True)):
            return f"{labels}: is {got}, should be {should}"
    return None


def alike(got: float | None, wanted: float | None) -> bool:
    """Equal to six digits; NaN is NaN, a stale marker only itself."""
    if got is None or wanted is None:
        return got is wanted
    if math.isnan(got) or math.isnan(wanted):
        stale = [bool(is_stale(np.array([value]))[0]) for value in (got, wanted)]
        return math.isnan(got) and math.isnan(wanted) and stale[0] == stale[1]
    return got == wanted or math.isclose(got, wanted, rel_tol=RELATIVE, abs_tol=1e-300)
