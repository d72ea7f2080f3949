"""Prometheus rule files: text to rule groups. Recording rules are named and left out; queries are not parsed here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from app.domain.alerting.alert import Severity, severity_of
from app.domain.alerting.rules import Rule, RuleGroup
from app.domain.alerting.templates import check
from app.errors import InvalidInput

DEFAULT_INTERVAL_S: Final = 60
MAX_BYTES: Final = 1 << 20
MAX_TEXT: Final = 20_000
MOST_TEXTS: Final = 64
LONGEST_S: Final = 31_536_000.0
UNITS_S: Final[Mapping[str, float]] = {
    "y": 31_536_000.0,
    "w": 604_800.0,
    "d": 86_400.0,
    "h": 3_600.0,
    "m": 60.0,
    "s": 1.0,
    "ms": 0.001,
}
DURATION: Final = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?")
LABEL_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

FILE_KEYS: Final = frozenset({"groups"})
GROUP_KEYS: Final = frozenset(
    {"name", "interval", "rules", "limit", "query_offset", "labels", "partial_response_strategy"}
)
RULE_KEYS: Final = frozenset({"alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations"})


@dataclass(frozen=True)
class RuleFile:
    """The groups of a file, and a sentence for each thing in it that was left out."""

    groups: tuple[RuleGroup, ...]
    left_out: tuple[str, ...] = ()


def parse_rule_file(text: str) -> RuleFile:
    """The alerting rules of a Prometheus rule file; raises InvalidInput that names the group and rule at fault."""
    if len(text) > MAX_BYTES:
        raise InvalidInput("file", f"is longer than {MAX_BYTES} bytes")
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise InvalidInput("file", f"is not YAML: {' '.join(str(error).split())[:200]}") from None
    root = _mapping("file", {} if document is None else document, FILE_KEYS)
    left_out: list[str] = []
    groups = tuple(_group(entry, left_out) for entry in _list("groups", root.get("groups")))
    names = [group.name for group in groups]
    for name in names:
        if names.count(name) > 1:
            raise InvalidInput(f"group {name}", "stands in the file twice")
    return RuleFile(groups, tuple(left_out))


def parse_duration(field: str, text: object) -> float:
    """Seconds of a Prometheus duration such as `1h30m`, `90s` or `0`."""
    if isinstance(text, int | float) and not isinstance(text, bool) and text >= 0:
        return float(text)
    written = str(text).strip()
    match = DURATION.fullmatch(written)
    if written == "0":
        return 0.0
    if match is None or not written:
        raise InvalidInput(field, f"{written[:40]!r} is not a duration such as 5m or 1h30m")
    return sum(int(amount) * unit for amount, unit in zip(match.groups(), UNITS_S.values(), strict=True) if amount)


def format_duration(seconds: float) -> str:
    """A duration in Prometheus's form: 5400 is `1h30m`."""
    rest_ms, parts = round(seconds * 1000), []
    for unit, size_s in UNITS_S.items():
        amount, rest_ms = divmod(rest_ms, round(size_s * 1000))
        if amount:
            parts.append(f"{amount}{unit}")
    return "".join(parts) or "0s"


def check_rule(rule: Rule, *, field: str = "rule") -> Rule:
    """`rule` itself; raises InvalidInput for a name, label or template that could not work."""
    if not rule.name.strip() or len(rule.name) > 200:
        raise InvalidInput(field, "needs a name of at most 200 characters")
    if not rule.expr.strip():
        raise InvalidInput(f"{field}.expr", "is empty")
    if not (0 <= rule.for_s <= LONGEST_S and 0 <= rule.keep_firing_for_s <= LONGEST_S):
        raise InvalidInput(f"{field}.for", "must be from 0 to one year")
    for text in (rule.name, rule.expr, rule.alert_class):
        _check_text(field, text)
    for kind, texts in (("labels", rule.labels), ("annotations", rule.annotations)):
        if len(texts) > MOST_TEXTS:
            raise InvalidInput(f"{field}.{kind}", f"has more than {MOST_TEXTS} entries")
        for name, text in texts.items():
            _check_text(f"{field}.{kind}", text)
            if not LABEL_NAME.fullmatch(name) or name.startswith("__"):
                raise InvalidInput(f"{field}.{kind}", f"{name!r} is not a name it may have")
            check(f"{field}.{kind}.{name}", text)
    return rule


def _check_text(field: str, text: str) -> None:
    """Refuse what no database can store, and what is too long to be meant."""
    if len(text) > MAX_TEXT:
        raise InvalidInput(field, f"is longer than {MAX_TEXT} characters")
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidInput(field, "holds characters that are none")


def _group(entry: object, left_out: list[str]) -> RuleGroup:
    group = _mapping("group", entry, GROUP_KEYS)
    name = str(group.get("name") or "").strip()
    if not name:
        raise InvalidInput("group", "has no name")
    where = f"group {name}"
    interval_s = parse_duration(f"{where}.interval", group.get("interval", DEFAULT_INTERVAL_S))
    shared = _texts(f"{where}.labels", group.get("labels"))
    rules = []
    for index, item in enumerate(_list(f"{where}.rules", group.get("rules"))):
        rule = _mapping(f"{where}, rule {index + 1}", item, RULE_KEYS)
        if "record" in rule:
            left_out.append(f"{where}: the recording rule {rule['record']} (recording rules are not supported yet)")
        else:
            rules.append(_rule(f"{where}, rule {index + 1}", rule, shared))
    return RuleGroup(name, max(1, round(interval_s or DEFAULT_INTERVAL_S)), tuple(rules))


def _rule(where: str, rule: Mapping[str, Any], shared: Mapping[str, str]) -> Rule:
    if "alert" not in rule or "expr" not in rule:
        raise InvalidInput(where, "needs `alert` and `expr`")
    labels = {**shared, **_texts(f"{where}.labels", rule.get("labels"))}
    return check_rule(
        Rule(
            name=str(rule["alert"]),
            expr=str(rule["expr"]).strip(),
            for_s=parse_duration(f"{where}.for", rule.get("for", 0)),
            keep_firing_for_s=parse_duration(f"{where}.keep_firing_for", rule.get("keep_firing_for", 0)),
            severity=severity_of(labels.get("severity", "")) if "severity" in labels else Severity.UNKNOWN,
            labels=labels,
            annotations=_texts(f"{where}.annotations", rule.get("annotations")),
        ),
        field=where,
    )


def _mapping(where: str, value: object, allowed: frozenset[str]) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidInput(where, "is not a mapping")
    unknown = sorted(str(key) for key in value if key not in allowed)
    if unknown:
        raise InvalidInput(where, f"has a field that is not known: {unknown[0][:60]}")
    return value


def _list(where: str, value: object) -> list[object]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidInput(where, "is not a list")
    return value


def _texts(where: str, value: object) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or any(isinstance(item, dict | list) for item in value.values()):
        raise InvalidInput(where, "is not a mapping of texts")
    return {str(name): "" if text is None else str(text) for name, text in value.items()}
