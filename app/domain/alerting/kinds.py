"""The kinds of rules beside PromQL: each has criteria of its own. A new one is a line here, and who steps it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from app.domain.alerting import anomaly_rules, capacity_rules
from app.domain.alerting.rules import PROMQL, Rule
from app.errors import InvalidInput

# Kind -> the dataclass of its criteria, whose fields all have a default.
CRITERIA: Final[Mapping[str, type[Any]]] = {
    anomaly_rules.KIND: anomaly_rules.Criteria,
    capacity_rules.KIND: capacity_rules.Criteria,
}
KINDS: Final = (PROMQL, *CRITERIA)


def check_kind(rule: Rule) -> None:
    """Raises InvalidInput for a kind that there is not, or criteria that it does not have."""
    if rule.kind == PROMQL:
        if rule.criteria:
            raise InvalidInput("criteria", "belong to rules of another kind")
        return
    if rule.kind not in CRITERIA:
        raise InvalidInput("kind", f"must be one of {', '.join(KINDS)}")
    of_kind = CRITERIA[rule.kind]
    unknown = sorted(rule.criteria.keys() - of_kind.__dataclass_fields__.keys())
    if unknown:
        known = ", ".join(of_kind.__dataclass_fields__)
        raise InvalidInput(f"criteria.{unknown[0]}", f"is none of {known}")
    try:
        msgspec.convert(rule.criteria, of_kind)
    except msgspec.ValidationError as error:
        raise InvalidInput("criteria", str(error)) from None
